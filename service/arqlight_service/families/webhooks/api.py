"""REST of webhook endpoints."""

from typing import Annotated

from aiohttp import web
from pydantic import BeforeValidator, Field

from arqlight.families.webhooks.records import endpoints
from arqlight.families.webhooks.records.endpoints import Ordering
from arqlight_service.api.answers import done
from arqlight_service.api.call import call
from arqlight_service.api.problems import Problem
from arqlight_service.api.requests import Strict, split_text
from arqlight_service.api.shapes.answer import Items
from arqlight_service.app_keys import KEY_RING, SETTINGS
from arqlight_service.audit.told import tell
from arqlight_service.auth.roles import Role
from arqlight_service.families.database import DATABASE
from arqlight_service.families.webhooks.shapes import Endpoint, NewEndpointAnswer, Removed, RotatedSecret

routes = web.RouteTableDef()


EventTypes = Annotated[list[str], BeforeValidator(split_text)]


class NewEndpoint(Strict):
    """An endpoint to register."""

    url: str = Field(max_length=2000)
    event_types: EventTypes = Field([])
    description: str = ""
    customer: str | None = None
    """Whose it is; none for the platform's own, which get the events of all. It cannot be changed."""
    contact: str | None = None
    """Mail address of who is told that it fails."""
    ordering: Ordering = "none"
    """none, endpoint (one event after the other), customer (one after the other of each customer)."""


class EndpointChange(Strict):
    """What can be changed of an endpoint."""

    url: Annotated[str, Field(max_length=2000)] | None = None
    event_types: EventTypes | None = None
    description: Annotated[str, Field(max_length=500)] | None = None
    contact: str | None = None
    """Empty for nobody."""
    ordering: Ordering | None = None
    enabled: bool | None = None


class Rotation(Strict):
    """How long the old secret signs beside the new one."""

    overlap_s: float = 24 * 3600
    revoke_older: bool = False
    """Secrets of rotations before sign no more; else each signs until its own overlap ends."""


class WhoseEndpoints(Strict):
    """Which endpoints to list."""

    customer: str | None = None


@routes.get("/api/v1/webhooks")
@call(Role.VIEWER, tag="webhooks", answers={200: Items[Endpoint]}, query=WhoseEndpoints)
async def list_webhooks(request: web.Request, asked: WhoseEndpoints) -> web.Response:
    """Every endpoint, or those of one customer."""
    found = await endpoints.list_endpoints(request.app[DATABASE], asked.customer)
    return web.json_response({"items": [endpoint.to_json() for endpoint in found]})


@routes.post("/api/v1/webhooks")
@call(
    Role.ADMIN,
    tag="webhooks",
    answers={201: NewEndpointAnswer},
    shown_once=True,
    body=NewEndpoint,
    does="register a webhook endpoint",
)
async def register_webhook(request: web.Request, asked: NewEndpoint) -> web.Response:
    """Register an endpoint; its secret is shown this once."""
    endpoint, secret = await endpoints.register(
        request.app[DATABASE], request.app[KEY_RING], request.app[SETTINGS], **asked.model_dump()
    )
    tell(request, after={"id": endpoint.id, **asked.model_dump()})
    return web.json_response({**endpoint.to_json(), "secret": secret}, status=201)


@routes.post("/api/v1/webhooks/{id}")
@routes.patch("/api/v1/webhooks/{id}")
@call(
    Role.ADMIN,
    tag="webhooks",
    answers={200: Endpoint},
    body=EndpointChange,
    refuses=(404,),
    does="change webhook endpoint {id}",
)
async def change_webhook(request: web.Request, asked: EndpointChange) -> web.Response:
    """Change `url`, `event_types`, `description`, `contact`, `ordering`, or switch it on or off."""
    change = asked.model_dump(exclude_none=True)
    if not change:
        raise Problem(422, "nothing to change was given", field="body")
    endpoint_id = request.match_info["id"]
    before = (await endpoints.find(request.app[DATABASE], endpoint_id)).to_json()
    changed = await endpoints.change(request.app[DATABASE], request.app[SETTINGS], endpoint_id, change)
    tell(request, before={field: before[field] for field in change}, after=change)
    return done(request, changed.to_json(), "/webhooks")


@routes.delete("/api/v1/webhooks/{id}")
@call(Role.ADMIN, tag="webhooks", answers={204: None}, refuses=(404,), does="delete webhook endpoint {id}")
async def remove_webhook(request: web.Request) -> web.Response:
    """Delete an endpoint with what is kept of its deliveries."""
    await _remove(request)
    return web.Response(status=204)


@routes.post("/api/v1/webhooks/{id}/delete")
@call(Role.ADMIN, tag="webhooks", answers={200: Removed}, refuses=(404,), does="delete webhook endpoint {id}")
async def remove_webhook_by_form(request: web.Request) -> web.Response:
    """Delete an endpoint, for forms, which can only POST."""
    await _remove(request)
    return done(request, {}, "/webhooks")


async def _remove(request: web.Request) -> None:
    endpoint = await endpoints.find(request.app[DATABASE], request.match_info["id"])
    await endpoints.remove(request.app[DATABASE], endpoint.id)
    tell(request, before={"url": endpoint.url, "event_types": list(endpoint.event_types)})


@routes.post("/api/v1/webhooks/{id}/rotate")
@call(
    Role.ADMIN,
    tag="webhooks",
    answers={200: RotatedSecret},
    shown_once=True,
    body=Rotation,
    refuses=(404,),
    does="rotate the secret of webhook endpoint {id}",
)
async def rotate_webhook(request: web.Request, asked: Rotation) -> web.Response:
    """A new secret, shown this once; the old one signs beside it for `overlap_s` seconds (a day)."""
    endpoint_id = request.match_info["id"]
    secret = await endpoints.rotate(
        request.app[DATABASE], request.app[KEY_RING], endpoint_id, asked.overlap_s, revoke_older=asked.revoke_older
    )
    tell(request, after=asked.model_dump())
    return web.json_response({"id": endpoint_id, "secret": secret, "overlap_s": asked.overlap_s})
