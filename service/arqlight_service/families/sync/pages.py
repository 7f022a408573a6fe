"""`/sync`: runs of the marketplaces' syncs, with their reports."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from arqlight.families.sync.settings import SyncSettings
from arqlight.families.sync.syncing import MARKETPLACES, list_runs
from arqlight_service.app_keys import SETTINGS
from arqlight_service.auth.roles import Role, needs
from arqlight_service.families.database import DATABASE

routes = web.RouteTableDef()


@routes.get("/sync")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("sync.html")
async def sync_page(request: web.Request) -> dict[str, Any]:
    """The marketplaces, and the newest runs."""
    tokens = request.app[SETTINGS].of(SyncSettings)
    places = [{"name": name, "has_token": getattr(tokens, f"{name}_token") is not None} for name in MARKETPLACES]
    return {"page": "sync", "marketplaces": places, "runs": await list_runs(request.app[DATABASE])}
