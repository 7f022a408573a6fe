"""REST of the task families: telemetry, webhooks, licence keys, exports, sync, e-mail templates."""

import asyncio
import base64
from datetime import UTC, datetime
from typing import Annotated, Any

import obstore
from aiohttp import web
from pydantic import BeforeValidator, Field

from service.answers import done, enqueue
from service.guard import actor
from service.parts import DATABASE, JOURNAL, KEY_RING, RENDERER, SETTINGS
from service.problems import Problem
from service.requests import AwareDatetime, Strict, parse_input, read_json, split_text, validate
from workers.errors import DatabaseMissing, InvalidInput
from workers.journal import NewJob
from workers.tasks.bulk import exports, licences
from workers.tasks.bulk.formats import FORMATS
from workers.tasks.bulk.licence_key import public_pem, signing_key
from workers.tasks.bulk.links import check_link, sign_link
from workers.tasks.bulk.storage import open_store
from workers.tasks.email import templates
from workers.tasks.email.message import InvalidEmail, parse_address
from workers.tasks.email.sending import send_email
from workers.tasks.sync.syncing import MARKETPLACES, list_runs, sync_sales
from workers.tasks.telemetry.folding import EVENTS_A_JOB, fold_telemetry
from workers.tasks.telemetry.intake import MOST_EVENTS, Hasher, take_in
from workers.tasks.webhooks import endpoints
from workers.tasks.webhooks.delivery import resend, send_event

routes = web.RouteTableDef()
PREVIEW_VARIABLES = 100


EventTypes = Annotated[list[str], BeforeValidator(split_text)]


class TelemetryBatch(Strict):
    """A batch of an SDK; each event is checked by itself."""

    events: list[Any] = Field(min_length=1, max_length=MOST_EVENTS)
    sent_at: AwareDatetime | None = None


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


class LicenceRequest(Strict):
    """A batch of licence keys."""

    product: str
    count: int


class ExportRequest(Strict):
    """A table to export."""

    table: str
    format: str


class SyncRequest(Strict):
    """A marketplace to sync now."""

    marketplace: str


class TemplateParts(Strict):
    """A template as it is edited."""

    subject: str
    text: str
    html: str
    note: str = Field("", max_length=500)


class Preview(TemplateParts):
    """A template to look at with these variables."""

    variables: dict[str, Any] = Field({}, max_length=PREVIEW_VARIABLES)


class TestMail(Strict):
    """Where a test is sent, and with what."""

    to: str = Field(max_length=320)
    variables: dict[str, Any] = Field({}, max_length=PREVIEW_VARIABLES)


class RollBack(Strict):
    """The version to go back to."""

    version: int = Field(ge=0, le=1_000_000_000)


@routes.post("/api/v1/telemetry")
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
        await request.app[JOURNAL].enqueue(jobs)
    return web.json_response(intake.to_json(), status=202)


@routes.get("/api/v1/webhooks")
async def list_webhooks(request: web.Request) -> web.Response:
    """Every endpoint."""
    found = await endpoints.list_endpoints(request.app[DATABASE])
    return web.json_response({"items": [endpoint.to_json() for endpoint in found]})


@routes.post("/api/v1/webhooks")
async def register_webhook(request: web.Request) -> web.Response:
    """Register an endpoint: 201 with its secret, which is shown this once."""
    asked = await parse_input(request, NewEndpoint)
    endpoint, secret = await endpoints.register(
        request.app[DATABASE], request.app[KEY_RING], request.app[SETTINGS], **asked.model_dump()
    )
    return web.json_response({**endpoint.to_json(), "secret": secret}, status=201)


@routes.post("/api/v1/webhooks/{id}")
@routes.patch("/api/v1/webhooks/{id}")
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
async def remove_webhook(request: web.Request) -> web.Response:
    """Delete an endpoint with what is kept of its deliveries: 204."""
    await endpoints.remove(request.app[DATABASE], request.match_info["id"])
    return web.Response(status=204) if request.method == "DELETE" else done(request, {}, "/webhooks")


@routes.post("/api/v1/webhooks/{id}/rotate")
async def rotate_webhook(request: web.Request) -> web.Response:
    """A new secret, shown this once; the old one signs beside it for `overlap_s` seconds (a day)."""
    overlap_s = (await parse_input(request, Rotation)).overlap_s
    endpoint_id = request.match_info["id"]
    secret = await endpoints.rotate(request.app[DATABASE], request.app[KEY_RING], endpoint_id, overlap_s)
    return web.json_response({"id": endpoint_id, "secret": secret, "overlap_s": overlap_s})


@routes.get("/api/v1/webhooks/{id}/deliveries")
async def webhook_deliveries(request: web.Request) -> web.Response:
    """What was delivered, the newest first."""
    endpoint = await endpoints.find(request.app[DATABASE], request.match_info["id"])
    return web.json_response({"items": await endpoints.list_deliveries(request.app[DATABASE], endpoint.id)})


@routes.post("/api/v1/deliveries/{id:[0-9]{1,18}}/resend")
async def resend_delivery(request: web.Request) -> web.Response:
    """Deliver the same message once more: 202 with the job's id."""
    delivery_id = int(request.match_info["id"])
    job_id = await resend(request.app[JOURNAL], request.app[DATABASE], delivery_id)
    past = await endpoints.find_delivery(request.app[DATABASE], delivery_id)
    return done(request, {"id": job_id}, f"/webhooks/{past['endpoint_id']}", 202)


@routes.post("/api/v1/events")
async def new_event(request: web.Request) -> web.Response:
    """Deliver an event to all endpoints that subscribed to it: 202 with the job's id."""
    asked = await parse_input(request, EventRequest)
    endpoints.check_event_types([asked.event])
    job_id = await enqueue(request, send_event, event=asked.event, payload=asked.payload)
    return done(request, {"id": job_id}, "/webhooks", 202)


@routes.get("/api/v1/licences")
async def list_licences(request: web.Request) -> web.Response:
    """The newest batches of licence keys; the keys themselves are in an export."""
    return web.json_response({"items": await licences.list_batches(request.app[DATABASE])})


@routes.post("/api/v1/licences")
async def new_licences(request: web.Request) -> web.Response:
    """Make a batch of keys: 202 with the batch and the job's id."""
    asked = await parse_input(request, LicenceRequest)
    batch_id = await licences.new_batch(request.app[DATABASE], asked.product, asked.count)
    job_id = await enqueue(request, licences.generate_licence_keys, batch_id=batch_id)
    return done(request, {"batch": batch_id, "id": job_id}, "/bulk", 202)


@routes.get("/api/v1/licences/public-key")
async def public_key(request: web.Request) -> web.Response:
    """The key that verifies licences offline, as PEM."""
    return web.Response(text=public_pem(signing_key(request.app[SETTINGS], request.app[KEY_RING])))


@routes.get("/api/v1/exports")
async def list_exports(request: web.Request) -> web.Response:
    """The newest exports, each with its download link while that works."""
    found = await exports.list_exports(request.app[DATABASE])
    return web.json_response({"items": [with_link(request, export) for export in found]})


@routes.post("/api/v1/exports")
async def new_export(request: web.Request) -> web.Response:
    """Export a table: 202 with the export's id and the job's."""
    asked = await parse_input(request, ExportRequest)
    export_id = await exports.new_export(request.app[DATABASE], asked.table, asked.format)
    job_id = await enqueue(request, exports.export_table, export_id=export_id)
    return done(request, {"export": export_id, "id": job_id}, "/bulk", 202)


@routes.get("/api/v1/exports/{id}")
async def one_export(request: web.Request) -> web.Response:
    """One export, with its download link while that works."""
    found = await exports.find_export(request.app[DATABASE], request.match_info["id"])
    return web.json_response(with_link(request, found))


@routes.get("/exports/{id}/download")
async def download(request: web.Request) -> web.StreamResponse:
    """The file of an export, for whoever has its signed link. 403 for a wrong link or an expired one, 410 when gone."""
    export_id, query = request.match_info["id"], request.query
    check_link(request.app[KEY_RING], export_id, query.get("expires", ""), query.get("signature", ""))
    export = await exports.find_export(request.app[DATABASE], export_id)
    if export["state"] != "done":
        raise Problem(410, f"export {export_id} is {export['state']}; there is no file to download")
    store = await asyncio.to_thread(open_store, request.app[SETTINGS])
    try:
        found = await obstore.get_async(store, export["path"])
    except FileNotFoundError:
        raise Problem(410, f"the file of export {export_id} is gone from the store; make a new export") from None
    response = web.StreamResponse(
        headers={
            "Content-Type": FORMATS[export["format"]],
            "Content-Length": str(export["size_bytes"]),
            "Content-Disposition": f'attachment; filename="{export["path"]}"',
            "Cache-Control": "private, no-store",
            "Repr-Digest": _digest(export["sha256"]),
        }
    )
    await response.prepare(request)
    async for chunk in found.stream(min_chunk_size=256 * 1024):
        await response.write(bytes(chunk))
    return response


@routes.get("/api/v1/sync/runs")
async def sync_runs(request: web.Request) -> web.Response:
    """The newest runs with their reports."""
    runs = await list_runs(request.app[DATABASE], request.query.get("marketplace"))
    return web.json_response({"items": runs})


@routes.post("/api/v1/sync")
async def sync_now(request: web.Request) -> web.Response:
    """Sync a marketplace now: 202 with the job's id."""
    marketplace = (await parse_input(request, SyncRequest)).marketplace
    if marketplace not in MARKETPLACES:
        raise InvalidInput("marketplace", f"no marketplace {marketplace[:50]!r}; there are {', '.join(MARKETPLACES)}")
    return done(request, {"id": await enqueue(request, sync_sales, marketplace=marketplace)}, "/sync", 202)


@routes.get("/api/v1/templates")
async def list_templates(request: web.Request) -> web.Response:
    """Every template in the version that is sent."""
    found = await templates.list_templates(request.app[DATABASE])
    return web.json_response({"items": [template.to_json() for template in found]})


@routes.get("/api/v1/templates/{name}")
async def one_template(request: web.Request) -> web.Response:
    """A template with all its versions, the newest first."""
    current = await templates.find_template(request.app[DATABASE], request.match_info["name"])
    versions = await templates.list_versions(request.app[DATABASE], current.name)
    return web.json_response({**current.to_json(), "versions": [version.to_json() for version in versions]})


@routes.post("/api/v1/templates/preview")
async def preview(request: web.Request) -> web.Response:
    """Render parts that are not saved: `{"subject", "text", "html", "names", "variables"}`."""
    asked = await parse_input(request, Preview)
    parts = asked.model_dump(include={"subject", "text", "html"})
    names = await request.app[RENDERER].variables_of(parts)
    samples = {name: name for name in names} | asked.variables
    rendered = await request.app[RENDERER].render(parts, samples)
    return web.json_response({**rendered._asdict(), "names": names, "variables": samples})


@routes.post("/api/v1/templates/{name}")
@routes.put("/api/v1/templates/{name}")
async def save_template(request: web.Request) -> web.Response:
    """Save a new version, which is sent from now on: 201."""
    asked = await parse_input(request, TemplateParts)
    name = request.match_info["name"]
    saved = await templates.save_template(
        request.app[DATABASE], request.app[RENDERER], name, asked.model_dump(exclude={"note"}), note=asked.note,
        who=actor(request),
    )  # fmt: skip
    return done(request, saved.to_json(), f"/templates/{name}", 201)


@routes.post("/api/v1/templates/{name}/test")
async def send_test(request: web.Request) -> web.Response:
    """Send the template to one address: 202 with the job's id."""
    asked = await parse_input(request, TestMail)
    template = await templates.find_template(request.app[DATABASE], request.match_info["name"])
    try:
        parse_address(asked.to, "to")
    except InvalidEmail as error:
        raise InvalidInput("to", str(error)) from error
    names = template.variables or tuple(await request.app[RENDERER].variables_of(template.parts))
    variables = {name: name for name in names} | asked.variables
    if {"to", "template", "idempotency_key"} & set(variables):
        raise InvalidInput("variables", "to, template and idempotency_key are not variables of a template")
    job_id = await enqueue(request, send_email, to=asked.to, template=template.name, **variables)
    return done(request, {"id": job_id}, f"/templates/{template.name}", 202)


@routes.post("/api/v1/templates/{name}/rollback")
async def roll_back(request: web.Request) -> web.Response:
    """Send an older version again, as a new one: 201."""
    version = (await parse_input(request, RollBack)).version
    name = request.match_info["name"]
    saved = await templates.roll_back(request.app[DATABASE], request.app[RENDERER], name, version, who=actor(request))
    return done(request, saved.to_json(), f"/templates/{name}", 201)


def with_link(request: web.Request, export: dict[str, Any]) -> dict[str, Any]:
    """An export with `download`, a signed link, while there is something to download."""
    if export["state"] != "done":
        return {**export, "download": None}
    expires_s = int(datetime.fromisoformat(export["expires_at"]).timestamp())
    base = (request.app[SETTINGS].public_url or str(request.url.origin())).rstrip("/")
    return {**export, "download": base + sign_link(request.app[KEY_RING], export["id"], expires_s)}


def _digest(sha256: str) -> str:
    """RFC 9530."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"
