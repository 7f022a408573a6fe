"""`/workers`: who lives and what each runs now, and who died within the hour."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from arqlight_service.app_keys import connection_of
from arqlight_service.auth.roles import Role, needs

routes = web.RouteTableDef()


@routes.get("/workers")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("workers.html")
async def worker_list(request: web.Request) -> dict[str, Any]:
    """The living, then the dead."""
    reader = connection_of(request).reader
    return {"page": "workers", "workers": await reader.workers(), "dead": await reader.dead_workers()}
