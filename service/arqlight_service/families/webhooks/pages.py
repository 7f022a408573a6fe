"""`/webhooks`: endpoints, and what was delivered to each."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from arqlight.families.webhooks.records import deliveries, endpoints, replays
from arqlight.families.webhooks.rules.disabling import disabled_at
from arqlight.families.webhooks.settings import WebhookSettings
from arqlight_service.app_keys import SETTINGS, home_of
from arqlight_service.auth.roles import Role, needs
from arqlight_service.families.database import DATABASE
from arqlight_service.feed.feed import WATCHED_S

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
    """One endpoint with its deliveries and replays."""
    await home_of(request.app).stream.say_watched(WATCHED_S)
    database = request.app[DATABASE]
    endpoint = await endpoints.find(database, request.match_info["id"])
    after_d = request.app[SETTINGS].of(WebhookSettings).webhook_disable_after_d
    off_at = disabled_at(endpoint.failing_since, endpoint.warned_at, after_d)
    return {
        "page": "webhooks",
        "endpoint": endpoint.to_json(),
        "off_at": off_at.isoformat(timespec="milliseconds") if off_at else None,
        "deliveries": await deliveries.list_deliveries(database, endpoint.id),
        "undelivered": await deliveries.count_undelivered(database, endpoint.id),
        "replays": await replays.list_replays(database, endpoint.id),
    }
