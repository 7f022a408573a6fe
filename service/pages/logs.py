"""`/logs`: what the workers, the service and the jobs said."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from service.control_api import LogQuery
from service.parts import READER, REDIS
from service.requests import validate
from workers.logbook import LEVELS
from workers.logs import read_log

routes = web.RouteTableDef()


@routes.get("/logs")
@aiohttp_jinja2.template("logs.html")
async def log_page(request: web.Request) -> dict[str, Any]:
    """The newest lines that match, the newest first."""
    query = validate(LogQuery, {name: value for name, value in request.query.items() if value}, 400)
    lines, following = await read_log(request.app[REDIS], query.filter(), limit=query.limit, before=query.before)
    return {
        "page": "logs",
        "lines": lines,
        "next": following,
        "levels": LEVELS,
        "tasks": sorted(await request.app[READER].known_tasks()),
        "filter": {name: request.query.get(name, "") for name in ("level", "job", "task", "q")},
        "is_first": query.before is None,
    }
