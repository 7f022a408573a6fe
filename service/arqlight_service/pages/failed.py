"""`/failed`: groups of the same failure, the failed jobs, and what is done to many of them at once."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from arqlight.jobs.queues import queue_name
from arqlight_service.api.answers import back_to, is_cut
from arqlight_service.api.filters import FILTERS, FailedQuery, filter_of
from arqlight_service.api.header_addresses import address_in
from arqlight_service.api.paths import path_name
from arqlight_service.api.problems import Problem
from arqlight_service.api.requests import parse_query
from arqlight_service.app_keys import OPERATIONS, connection_of
from arqlight_service.auth.roles import Role, needs

routes = web.RouteTableDef()
GROUPS = 20


@routes.get("/failed")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("failed.html")
async def failed_list(request: web.Request) -> dict[str, Any]:
    """Groups, and the jobs that match the filter, a page at a time."""
    query = parse_query(request, FailedQuery)
    reader = connection_of(request).reader
    overview = await reader.overview()
    groups, number = await reader.groups(0, GROUPS)
    where = await filter_of(request, query)
    failed, following = await reader.failed(where=where, cursor=query.cursor, limit=query.limit)
    return {
        "page": "failed",
        "can_write": connection_of(request).can_write,
        "total": overview.failed,
        "failed": failed,
        "next": following,
        "is_cut": is_cut(failed, following, query.limit),
        "groups": groups,
        "more_groups": max(0, number - GROUPS),
        "filter": {name: request.query.get(name, "") for name in FILTERS},
        "is_filtered": bool(where.to_json()),
        "queues": [queue_name(key) for key in await reader.known_queues()],
        "operations": [operation.to_json() for operation in await request.app[OPERATIONS].newest(5)],
    }


@routes.post("/failed/{id}/{action}")
@needs(Role.OPERATOR, does="{action} job {id}")
async def act(request: web.Request) -> web.Response:
    """Retry and Delete for browsers without JavaScript: do it, and show the page it came from."""
    job_id, action = path_name(request, "id"), request.match_info["action"]
    if action == "retry":
        await connection_of(request).journal.retry(job_id)
    elif action == "delete":
        await connection_of(request).journal.delete(job_id)
    else:
        raise Problem(404, f"nothing is at {request.path}")
    raise web.HTTPSeeOther(back_to(request, "/failed" if address_in(request, "Referer").path == "/failed" else "/"))
