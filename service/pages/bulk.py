"""`/bulk`: licence keys and exports."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from service.access.roles import Role, needs
from service.families.bulk import with_link
from service.feed import WATCHED_S
from service.parts import DATABASE, home_of
from workers.tasks.bulk import exports, licences
from workers.tasks.bulk.formats import FORMATS

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
        "tables": list(exports.TABLES),
        "formats": list(FORMATS),
        "most_keys": licences.MOST_KEYS,
    }
