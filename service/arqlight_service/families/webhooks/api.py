"""REST of webhooks: endpoints, deliveries, events."""

from typing import Annotated, Any

from aiohttp import web
from pydantic import BeforeValidator, Field

from arqlight.families.webhooks import endpoints
from arqlight.families.webhooks.delivery import resend, send_event
from arqlight_service.api.answers import done, enqueue
from arqlight_service.api.problems import Problem
from arqlight_service.api.requests import Strict, parse_input, split_text
from arqlight_service.app_keys import KEY_RING, SETTINGS, home_of
from arqlight_service.auth.roles import ENQUEUE, Role, needs
from arqlight_service.families.database import DATABASE

routes = web.RouteTableDef()


EventTypes = Annotated[list[str], BeforeValidator(split_text)]


class NewEndpoint(Strict):
    """An endpoint to register."""

    url: str = Field(max_length=2000)
    event_types: EventTypes = Field([])
    description: str = ""


class EndpointChange(Strict):
    """What can be changed of an endpoint."""

    url: Annotated[str, Field(max_length=2000)] | None = None
    event_types: EventTypes | None = None
    description: Annotated[str, Field(max_length=500)] | None = None
    enabled: bool | None = None


class Rotation(Strict):
    """How long the old secret signs beside the new one."""

    overlap_s: float = 24 * 3600


class EventRequest(Strict):
    """An event to deliver to all endpoints that subscribed to it."""

    event: str
    payload: Any = None


@routes.get("/api/v1/webhooks")
@needs(Role.VIEWER)
async def list_webhooks(request: web.Request) -> web.Response:
    """Every endpoint."""
    found = await endpoints.list_endpoints(request.app[DATABASE])
    return web.json_response({"items": [endpoint.to_json() for endpoint in found]})


@routes.post("/api/v1/webhooks")
@needs(Role.ADMIN, does="register a webhook endpoint")
async def register_webhook(request: web.Request) -> web.Response:
    """Register an endpoint: 201 with its secret, which is shown this once."""
    asked = await parse_input(request, NewEndpoint)
    endpoint, secret = await endpoints.register(
        request.app[DATABASE], request.app[KEY_RING], request.app[SETTINGS], **asked.model_dump()
    )
    return web.json_response({**endpoint.to_json(), "secret": secret}, status=201)


@routes.post("/api/v1/webhooks/{id}")
@routes.patch("/api/v1/webhooks/{id}")
@needs(Role.ADMIN, does="change webhook endpoint {id}")
async def change_webhook(request: web.Request) -> web.Response:
    """Change `url`, `event_types`, `description`, or switch it on or off."""
    change = (await parse_input(request, EndpointChange)).model_dump(exclude_none=True)
    if not change:
        raise Problem(422, "nothing to change was given", field="body")
    endpoint_id = request.match_info["id"]
    changed = await endpoints.change(request.app[DATABASE], request.app[SETTINGS], endpoint_id, change)
    return done(request, changed.to_json(), "/webhooks")


@routes.post("/api/v1/webhooks/{id}/delete")
@routes.delete("/api/v1/webhooks/{id}")
@needs(Role.ADMIN, does="delete webhook endpoint {id}")
async def remove_webhook(request: web.Request) -> web.Response:
    """Delete an endpoint with what is kept of its deliveries: 204."""
    await endpoints.remove(request.app[DATABASE], request.match_info["id"])
    return web.Response(status=204) if request.method == "DELETE" else done(request, {}, "/webhooks")


@routes.post("/api/v1/webhooks/{id}/rotate")
@needs(Role.ADMIN, does="rotate the secret of webhook endpoint {id}")
async def rotate_webhook(request: web.Request) -> web.Response:
    """A new secret, shown this once; the old one signs beside it for `overlap_s` seconds (a day)."""
    overlap_s = (await parse_input(request, Rotation)).overlap_s
    endpoint_id = request.match_info["id"]
    secret = await endpoints.rotate(request.app[DATABASE], request.app[KEY_RING], endpoint_id, overlap_s)
    return web.json_response({"id": endpoint_id, "secret": secret, "overlap_s": overlap_s})


@routes.get("/api/v1/webhooks/{id}/deliveries")
@needs(Role.VIEWER)
async def webhook_deliveries(request: web.Request) -> web.Response:
    """What was delivered, the newest first."""
    endpoint = await endpoints.find(request.app[DATABASE], request.match_info["id"])
    return web.json_response({"items": await endpoints.list_deliveries(request.app[DATABASE], endpoint.id)})


@routes.post("/api/v1/deliveries/{id:[0-9]{1,18}}/resend")
@needs(Role.OPERATOR, does="resend delivery {id}")
async def resend_delivery(request: web.Request) -> web.Response:
    """Deliver the same message once more: 202 with the job's id."""
    delivery_id = int(request.match_info["id"])
    job_id = await resend(home_of(request.app).journal, request.app[DATABASE], delivery_id)
    past = await endpoints.find_delivery(request.app[DATABASE], delivery_id)
    return done(request, {"id": job_id}, f"/webhooks/{past['endpoint_id']}", 202)


@routes.post("/api/v1/events")
@needs(Role.OPERATOR, ENQUEUE)
async def new_event(request: web.Request) -> web.Response:
    """Deliver an event to all endpoints that subscribed to it: 202 with the job's id."""
    asked = await parse_input(request, EventRequest)
    endpoints.check_event_types([asked.event])
    job_id = await enqueue(request, send_event, event=asked.event, payload=asked.payload)
    return done(request, {"id": job_id}, "/webhooks", 202)
