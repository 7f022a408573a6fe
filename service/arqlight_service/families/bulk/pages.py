"""`/bulk`: licence keys and exports."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from arqlight.families.bulk import exports, licences
from arqlight.families.bulk.formats import FORMATS
from arqlight_service.app_keys import home_of
from arqlight_service.auth.roles import Role, needs
from arqlight_service.families.bulk.api import batches_shown, exports_shown
from arqlight_service.feed.feed import WATCHED_S

routes = web.RouteTableDef()


@routes.get("/bulk")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("bulk.html")
async def bulk_page(request: web.Request) -> dict[str, Any]:
    """The newest batches and exports; `?batches=` and `?exports=` are cursors to older ones."""
    await home_of(request.app).stream.say_watched(WATCHED_S)
    places = {name: request.query.get(name) or None for name in ("batches", "exports")}
    batches, older_batches = await batches_shown(request, cursor=places["batches"])
    shown_exports, older_exports = await exports_shown(request, cursor=places["exports"])
    return {
        "page": "bulk",
        "batches": batches,
        "exports": shown_exports,
        "places": places,
        "older": {"batches": older_batches, "exports": older_exports},
        "tables": list(exports.tables()),
        "formats": list(FORMATS),
        "most_keys": licences.MOST_KEYS,
    }
