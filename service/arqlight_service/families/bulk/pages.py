"""`/bulk`: licence keys and exports."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from arqlight.families.bulk import exports, licences
from arqlight.families.bulk.formats import FORMATS
from arqlight_service.app_keys import home_of
from arqlight_service.auth.roles import Role, needs
from arqlight_service.families.bulk.api import with_link
from arqlight_service.families.database import DATABASE
from arqlight_service.feed.feed import WATCHED_S

routes = web.RouteTableDef()


@routes.get("/bulk")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("bulk.html")
async def bulk_page(request: web.Request) -> dict[str, Any]:
    """The newest batches and exports."""
    await home_of(request.app).stream.say_watched(WATCHED_S)
    database = request.app[DATABASE]
    return {
        "page": "bulk",
        "batches": await licences.list_batches(database),
        "exports": [with_link(request, export) for export in await exports.list_exports(database)],
        "tables": list(exports.tables()),
        "formats": list(FORMATS),
        "most_keys": licences.MOST_KEYS,
    }
