"""`/sync`: runs of the marketplaces' syncs, with their reports."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from service.access.roles import Role, needs
from service.parts import DATABASE, SETTINGS
from workers.tasks.sync.syncing import MARKETPLACES, list_runs

routes = web.RouteTableDef()


@routes.get("/sync")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("sync.html")
async def sync_page(request: web.Request) -> dict[str, Any]:
    """The marketplaces, and the newest runs."""
    settings = request.app[SETTINGS]
    places = [{"name": name, "has_token": getattr(settings, f"{name}_token") is not None} for name in MARKETPLACES]
    return {"page": "sync", "marketplaces": places, "runs": await list_runs(request.app[DATABASE])}
