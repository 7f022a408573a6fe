"""REST of events: send one."""

import secrets
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from arqlight.families.webhooks.records import endpoints, events
from arqlight.families.webhooks.sending import send_event
from arqlight.families.webhooks.signing import body_of
from arqlight_service.api.answers import done, enqueue
from arqlight_service.api.call import call
from arqlight_service.api.requests import Strict
from arqlight_service.audit.told import tell
from arqlight_service.auth.roles import ENQUEUE, Role
from arqlight_service.families.database import DATABASE
from arqlight_service.families.webhooks.shapes import Sent

routes = web.RouteTableDef()


class EventRequest(Strict):
    """An event to deliver to the endpoints that take it."""

    event: str
    payload: Any = None
    customer: str | None = None
    """Whose it is: it goes to the endpoints of this customer and to the platform's own; without one to those only."""
    id: str | None = None
    """The webhook-id; what is sent again under an id that is known is not delivered twice."""


@routes.post("/api/v1/events")
@call(
    Role.OPERATOR,
    ENQUEUE,
    tag="webhooks",
    answers={202: Sent},
    body=EventRequest,
    does="send an event",
    kind="routine",
)
async def new_event(request: web.Request, asked: EventRequest) -> web.Response:
    """Keep an event, and deliver it to the endpoints that take it. Once this is answered, it is not lost."""
    endpoints.check_event_types([asked.event])
    endpoints.check_customer(asked.customer)
    message_id = asked.id or f"msg_{secrets.token_hex(16)}"
    events.check_message_id(message_id)
    customer = asked.customer or None
    body = body_of(asked.event, asked.payload, datetime.now(UTC))
    await events.keep_event(request.app[DATABASE], message_id, asked.event, body, customer)
    job_id = await enqueue(
        request, send_event, event=asked.event, payload=asked.payload, message_id=message_id, customer=customer
    )
    tell(request, after={"event": asked.event, "customer": customer, "message_id": message_id, "id": job_id})
    return done(request, {"id": job_id, "message_id": message_id}, "/webhooks", 202)
