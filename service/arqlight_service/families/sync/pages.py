"""`/sync`: runs of the marketplaces' syncs, and the report of each."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from arqlight.families.sync.marketplace import marketplaces
from arqlight.families.sync.runs import MOST_DIFFERENCES_KEPT, find_run, list_runs
from arqlight_service.app_keys import SETTINGS
from arqlight_service.auth.roles import Role, needs
from arqlight_service.families.database import DATABASE

routes = web.RouteTableDef()


@routes.get("/sync")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("sync.html")
async def sync_page(request: web.Request) -> dict[str, Any]:
    """The marketplaces, and the newest runs."""
    settings = request.app[SETTINGS]
    places = [
        {"name": each.name, "title": each.title, "setting": each.token_setting, "has_token": bool(each.token(settings))}
        for each in marketplaces().values()
    ]
    return {"page": "sync", "marketplaces": places, "runs": await list_runs(request.app[DATABASE])}


@routes.get("/sync/runs/{id:[0-9]{1,18}}")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("sync_run.html")
async def run_page(request: web.Request) -> dict[str, Any]:
    """One run: what it refused, and what differed."""
    run = await find_run(request.app[DATABASE], int(request.match_info["id"]))
    return {"page": "sync", "run": run, "most_differences": MOST_DIFFERENCES_KEPT}
