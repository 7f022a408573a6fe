"""`/webhooks`: endpoints, and what was delivered to each."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from arqlight.families.webhooks import endpoints
from arqlight_service.auth.roles import Role, needs
from arqlight_service.families.database import DATABASE

routes = web.RouteTableDef()


@routes.get("/webhooks")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("webhooks.html")
async def endpoint_list(request: web.Request) -> dict[str, Any]:
    """Every endpoint."""
    found = await endpoints.list_endpoints(request.app[DATABASE])
    return {"page": "webhooks", "endpoints": [endpoint.to_json() for endpoint in found]}


@routes.get("/webhooks/{id}")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("webhook.html")
async def endpoint_page(request: web.Request) -> dict[str, Any]:
    """One endpoint with its deliveries."""
    endpoint = await endpoints.find(request.app[DATABASE], request.match_info["id"])
    deliveries = await endpoints.list_deliveries(request.app[DATABASE], endpoint.id)
    return {"page": "webhooks", "endpoint": endpoint.to_json(), "deliveries": deliveries}
