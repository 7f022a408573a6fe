"""REST of deliveries: where they stand, their attempts, and replays."""

from typing import Annotated, Literal

from aiohttp import web
from pydantic import BeforeValidator, Field

from arqlight.families.webhooks.records import deliveries, endpoints, replays
from arqlight.families.webhooks.records.replays import Selection
from arqlight.families.webhooks.replaying import replay_deliveries, resend
from arqlight_service.api.answers import done, enqueue
from arqlight_service.api.call import call
from arqlight_service.api.requests import AwareDatetime, Strict
from arqlight_service.api.shapes.answer import Items
from arqlight_service.api.shapes.job import Enqueued
from arqlight_service.app_keys import home_of
from arqlight_service.audit.told import tell
from arqlight_service.auth.identity import actor
from arqlight_service.auth.roles import Role
from arqlight_service.families.database import DATABASE
from arqlight_service.families.webhooks.shapes import Attempted, Delivery, Replay

routes = web.RouteTableDef()
ONE = "/api/v1/deliveries/{id:[0-9]{1,18}}"


def _or_none(value: object) -> object:
    """A form sends its empty fields too."""
    return None if value == "" else value


MaybeMoment = Annotated[AwareDatetime | None, BeforeValidator(_or_none)]


class WhichDeliveries(Strict):
    """Which deliveries of an endpoint to list."""

    state: Literal["pending", "delivered", "failed", "held"] | None = None
    before: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    """Those with an id below it: for the next page the last id of this one."""
    limit: int = Field(50, ge=1, le=200)


class ReplayRequest(Strict):
    """What to replay: one event, a range, or all that was not delivered, of a range too."""

    message_id: Annotated[str | None, BeforeValidator(_or_none)] = None
    since: MaybeMoment = None
    """Events raised from then on."""
    until: MaybeMoment = None
    """Events raised before then."""
    failed: bool = False
    """Only what was not delivered."""


@routes.get("/api/v1/webhooks/{id}/deliveries")
@call(Role.VIEWER, tag="webhooks", answers={200: Items[Delivery]}, query=WhichDeliveries, refuses=(404,))
async def webhook_deliveries(request: web.Request, asked: WhichDeliveries) -> web.Response:
    """The events for an endpoint and where each stands, the newest first."""
    endpoint = await endpoints.find(request.app[DATABASE], request.match_info["id"])
    found = await deliveries.list_deliveries(request.app[DATABASE], endpoint.id, **asked.model_dump())
    return web.json_response({"items": found})


@routes.get(f"{ONE}/attempts")
@call(Role.VIEWER, tag="webhooks", answers={200: Items[Attempted]}, refuses=(404,))
async def delivery_attempts(request: web.Request) -> web.Response:
    """The attempts at a delivery, the newest first."""
    delivery = await deliveries.find_delivery(request.app[DATABASE], int(request.match_info["id"]))
    return web.json_response({"items": await deliveries.list_attempts(request.app[DATABASE], delivery["id"])})


@routes.post(f"{ONE}/resend")
@call(Role.OPERATOR, tag="webhooks", answers={202: Enqueued}, refuses=(404, 409), does="resend delivery {id}")
async def resend_delivery(request: web.Request) -> web.Response:
    """Deliver the same event once more, under the same webhook-id."""
    delivery_id = int(request.match_info["id"])
    job_id = await resend(home_of(request.app).journal, request.app[DATABASE], delivery_id)
    past = await deliveries.find_delivery(request.app[DATABASE], delivery_id)
    tell(request, after={"id": job_id})
    return done(request, {"id": job_id}, f"/webhooks/{past['endpoint_id']}", 202)


@routes.post("/api/v1/webhooks/{id}/replay")
@call(
    Role.OPERATOR,
    tag="webhooks",
    answers={202: Replay},
    body=ReplayRequest,
    refuses=(404, 409),
    does="replay deliveries of webhook endpoint {id}",
)
async def replay_webhook(request: web.Request, asked: ReplayRequest) -> web.Response:
    """Deliver once more, in the background: one event, a range, or all that failed. Each keeps its webhook-id."""
    database, endpoint_id = request.app[DATABASE], request.match_info["id"]
    replay = await replays.new_replay(database, endpoint_id, Selection(**asked.model_dump()), actor(request))
    replay["job_id"] = await enqueue(request, replay_deliveries, replay_id=replay["id"])
    await replays.note(database, replay["id"], job_id=replay["job_id"])
    tell(request, after={"replay": replay["id"], "total": replay["total"], **asked.model_dump(mode="json")})
    return done(request, replay, f"/webhooks/{endpoint_id}", 202)


@routes.get("/api/v1/webhooks/{id}/replays")
@call(Role.VIEWER, tag="webhooks", answers={200: Items[Replay]}, refuses=(404,))
async def webhook_replays(request: web.Request) -> web.Response:
    """The newest replays of an endpoint, and how far each is."""
    endpoint = await endpoints.find(request.app[DATABASE], request.match_info["id"])
    return web.json_response({"items": await replays.list_replays(request.app[DATABASE], endpoint.id)})
