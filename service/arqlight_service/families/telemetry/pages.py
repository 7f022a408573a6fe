"""`/telemetry`: usage by day, products with their versions, and devices."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from arqlight.families.telemetry import reading
from arqlight_service.api.requests import parse_query
from arqlight_service.auth.roles import Role, needs
from arqlight_service.families.database import DATABASE
from arqlight_service.families.telemetry.queries import ListQuery

routes = web.RouteTableDef()
FILTERS = ("product", "version", "since", "until")
MOST_PRODUCTS = 100


@routes.get("/telemetry")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("telemetry.html")
async def telemetry_page(request: web.Request) -> dict[str, Any]:
    """What matches, a page of devices at a time."""
    query = parse_query(request, ListQuery)
    database, which = request.app[DATABASE], query.which()
    devices, following = await reading.list_devices(database, which, query.limit, query.cursor)
    products, more_products = await reading.list_products(database, which, MOST_PRODUCTS, None)
    days = await reading.usage_by_day(database, which)
    return {
        "page": "telemetry",
        "devices": devices,
        "next": following,
        "products": products,
        "has_more_products": more_products is not None,
        "days": days,
        "most_devices": max((day["devices"] for day in days), default=0),
        "filter": {name: request.query.get(name, "") for name in FILTERS},
        "is_first": query.cursor is None,
    }
