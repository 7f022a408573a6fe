"""`/logs`: what the workers, the service and the jobs said."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from arqlight.journal.log_reader import LEVELS, read_log
from arqlight_service.api.control import LogQuery
from arqlight_service.app_keys import connection_of, journal_of
from arqlight_service.auth.roles import Role, needs

routes = web.RouteTableDef()


@routes.get("/logs")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("logs.html")
async def log_page(request: web.Request) -> dict[str, Any]:
    """The newest lines that match, the newest first."""
    query = LogQuery.of(request)
    lines, following = await read_log(journal_of(request).redis, query.filter(), limit=query.limit, before=query.before)
    return {
        "page": "logs",
        "lines": lines,
        "next": following,
        "levels": LEVELS,
        "tasks": sorted(await connection_of(request).reader.known_tasks()),
        "filter": {name: request.query.get(name, "") for name in ("level", "job", "task", "q")},
        "is_first": query.before is None,
    }
