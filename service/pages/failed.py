"""`/failed`: groups of the same failure, the failed jobs, and what is done to many of them at once."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from service.api import filter_of
from service.operations import read_operations
from service.parts import JOURNAL, READER, REDIS
from service.problems import Problem
from service.requests import FILTERS, parse_id, parse_list_query
from workers.groups import read_groups
from workers.keys import queue_name

routes = web.RouteTableDef()
GROUPS = 20


@routes.get("/failed")
@aiohttp_jinja2.template("failed.html")
async def failed_list(request: web.Request) -> dict[str, Any]:
    """Groups, and the jobs that match the filter, a page at a time."""
    query = parse_list_query(request, *FILTERS, "limit", "cursor")
    reader = request.app[READER]
    overview = await reader.overview()
    groups, number = await read_groups(reader.scripts, 0, GROUPS)
    where = await filter_of(request, query)
    failed, following = await reader.failed(where=where, cursor=query.cursor, limit=query.limit)
    return {
        "page": "failed",
        "total": overview.failed,
        "failed": failed,
        "next": following,
        "groups": groups,
        "more_groups": max(0, number - GROUPS),
        "filter": {name: request.query.get(name, "") for name in FILTERS},
        "is_filtered": bool(where.to_json()),
        "queues": [queue_name(key) for key in await reader.known_queues()],
        "operations": [operation.to_json() for operation in await read_operations(request.app[REDIS], 5)],
    }


@routes.post("/failed/{id}/{action}")
async def act(request: web.Request) -> web.Response:
    """Retry and Delete for browsers without JavaScript: do it, and show the page it came from."""
    job_id, action = parse_id(request), request.match_info["action"]
    if action == "retry":
        await request.app[JOURNAL].retry(job_id)
    elif action == "delete":
        await request.app[JOURNAL].delete(job_id)
    else:
        raise Problem(404, f"nothing is at {request.path}")
    back = request.headers.get("Referer", "")
    raise web.HTTPSeeOther("/failed" if back.endswith("/failed") else "/")
