"""REST of telemetry: what SDKs send."""

from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from pydantic import Field

from arqlight.errors import DatabaseMissing
from arqlight.families.telemetry.folding import EVENTS_A_JOB, fold_telemetry
from arqlight.families.telemetry.intake import MOST_EVENTS, Hasher, take_in
from arqlight.journal.journal import NewJob
from arqlight_service.api.requests import AwareDatetime, Strict, read_json, validate
from arqlight_service.app_keys import KEY_RING, home_of
from arqlight_service.auth.roles import TELEMETRY, Role, needs
from arqlight_service.families.database import DATABASE

routes = web.RouteTableDef()


class TelemetryBatch(Strict):
    """A batch of an SDK; each event is checked by itself."""

    events: list[Any] = Field(min_length=1, max_length=MOST_EVENTS)
    sent_at: AwareDatetime | None = None


@routes.post("/api/v1/telemetry")
@needs(Role.OPERATOR, TELEMETRY)
async def telemetry(request: web.Request) -> web.Response:
    """A batch of events: 202 with how many were accepted, which were refused and why, and how wrong the clock is."""
    if not request.app[DATABASE].is_set:
        raise DatabaseMissing
    batch = validate(TelemetryBatch, await read_json(request))
    intake = take_in(batch.events, batch.sent_at, datetime.now(UTC), Hasher(request.app[KEY_RING]))
    jobs = [
        NewJob(fold_telemetry.name, fold_telemetry.queue, (), {"events": intake.events[at : at + EVENTS_A_JOB]})
        for at in range(0, len(intake.events), EVENTS_A_JOB)
    ]
    if jobs:
        await home_of(request.app).journal.enqueue(jobs)
    return web.json_response(intake.to_json(), status=202)
