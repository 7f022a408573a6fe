"""`/jobs`: jobs of every state by filter, and a job's own page."""

import json
from typing import Any

import aiohttp_jinja2
from aiohttp import web

from arqlight.jobs.job import STATES
from arqlight.jobs.queues import queue_name
from arqlight_service.api.answers import is_cut
from arqlight_service.api.filters import FILTERS, JobsQuery, filter_of
from arqlight_service.api.paths import path_name
from arqlight_service.api.requests import parse_query
from arqlight_service.app_keys import connection_of
from arqlight_service.auth.roles import Role, needs
from arqlight_service.feed.feed import WATCHED_S

routes = web.RouteTableDef()


@routes.get("/jobs")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("jobs.html")
async def job_list(request: web.Request) -> dict[str, Any]:
    """The jobs that match, a page at a time."""
    query = parse_query(request, JobsQuery)
    reader = connection_of(request).reader
    where = await filter_of(request, query)
    jobs, following = await reader.jobs(state=query.state, where=where, limit=query.limit, cursor=query.cursor)
    return {
        "page": "jobs",
        "jobs": [job.to_json() for job in jobs],
        "next": following,
        "is_cut": is_cut(jobs, following, query.limit),
        "states": STATES,
        "filter": {name: request.query.get(name, "") for name in ("state", *FILTERS)},
        "queues": [queue_name(key) for key in await reader.known_queues()],
        "tasks": sorted(await reader.known_tasks()),
        "is_first": query.cursor is None,
    }


@routes.get("/jobs/{id}")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("job.html")
async def job_page(request: web.Request) -> dict[str, Any]:
    """One job: arguments, attempts with their traces, timeline, log, progress."""
    connection = connection_of(request)
    await connection.stream.say_watched(WATCHED_S)
    job = await connection.reader.job_json(path_name(request, "id"))
    edit = {name: json.dumps(job[name], indent=2, ensure_ascii=False) for name in ("args", "kwargs")}
    return {"page": "job", "job": job, "edit": edit}
