"""REST of telemetry: what SDKs send."""

from datetime import UTC, datetime

from aiohttp import web

from arqlight.errors import DatabaseMissing
from arqlight.families.telemetry.extra_fields import parse_declared
from arqlight.families.telemetry.folding import EVENTS_A_JOB, fold_telemetry
from arqlight.families.telemetry.intake import Hasher, take_in
from arqlight.families.telemetry.settings import TelemetrySettings
from arqlight.journal.journal import NewJob
from arqlight_service.api.call import call
from arqlight_service.app_keys import KEY_RING, SETTINGS, home_of
from arqlight_service.audit.told import tell
from arqlight_service.auth.roles import TELEMETRY, Role
from arqlight_service.families.database import DATABASE
from arqlight_service.families.telemetry.batch import TelemetryBatch, read_batch
from arqlight_service.families.telemetry.shapes import Intake

routes = web.RouteTableDef()


@routes.post("/api/v1/telemetry")
@call(
    Role.OPERATOR,
    TELEMETRY,
    tag="telemetry",
    answers={202: Intake},
    body=(TelemetryBatch,),  # each event is read by itself
    does="telemetry",
    kind="routine",
)
async def telemetry(request: web.Request) -> web.Response:
    """Take a batch of events: which were accepted, which were refused and why, and how wrong the clock is."""
    batch = await read_batch(request)
    if not request.app[DATABASE].is_set:
        raise DatabaseMissing
    declared = parse_declared(request.app[SETTINGS].of(TelemetrySettings).telemetry_fields)
    intake = take_in(batch.events, batch.sent_at, datetime.now(UTC), Hasher(request.app[KEY_RING]), declared)
    jobs = [
        NewJob(fold_telemetry.name, fold_telemetry.queue, (), {"events": intake.events[at : at + EVENTS_A_JOB]})
        for at in range(0, len(intake.events), EVENTS_A_JOB)
    ]
    if jobs:
        await home_of(request.app).journal.enqueue(jobs)
    tell(request, after={"events": len(batch.events), "accepted": len(intake.events)})
    return web.json_response(intake.to_json(), status=202)
