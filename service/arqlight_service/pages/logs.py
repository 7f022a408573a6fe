"""`/logs`: what the workers, the service and the jobs said."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from arqlight.journal.log_reader import LEVELS
from arqlight_service.api.answers import is_cut
from arqlight_service.api.logs import LogQuery
from arqlight_service.api.requests import parse_query
from arqlight_service.app_keys import connection_of
from arqlight_service.auth.roles import Role, needs
from arqlight_service.pages.missing_parts import missing, without

routes = web.RouteTableDef()


@routes.get("/logs")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("logs.html")
async def log_page(request: web.Request) -> dict[str, Any] | web.Response:
    """The newest lines that match, the newest first."""
    if (said := missing(request, "log")) is not None:
        return without(request, "logs", "Logs", said)
    connection, query = connection_of(request), parse_query(request, LogQuery)
    lines, following = await connection.log.lines(query.filter(), limit=query.limit, before=query.before)
    return {
        "page": "logs",
        "lines": lines,
        "next": following,
        "is_cut": is_cut(lines, following, query.limit),
        "levels": LEVELS,
        "tasks": sorted(await connection.reader.known_tasks()),
        "filter": {name: request.query.get(name, "") for name in ("level", "job", "task", "q")},
        "is_first": query.before is None,
    }
