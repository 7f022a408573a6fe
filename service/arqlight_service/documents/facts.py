"""What the routes themselves do not say: what each takes and answers. A call without a line here stops the start."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from arqlight_service.api.control import Confirmation, LogQuery, OperationRequest, OverrideRequest, ScheduleChange
from arqlight_service.api.requests import FILTERS, EditedJob, JobRequest, JobsRequest, ListQuery
from arqlight_service.documents.schemas import ANY, NUMBER, TEXT, Schema, an_object, items_of, page_of, ref
from arqlight_service.families.bulk.api import ExportRequest, LicenceRequest
from arqlight_service.families.email.api import Preview, RollBack, TemplateParts, TestMail
from arqlight_service.families.sync.api import SyncRequest
from arqlight_service.families.telemetry.api import TelemetryBatch
from arqlight_service.families.webhooks.api import EndpointChange, EventRequest, NewEndpoint, Rotation


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one route: the statuses it succeeds with and what they carry (None: nothing), its query, its body."""

    answers: dict[int, Schema | None]
    query: dict[str, Schema] = field(default_factory=dict)
    takes: tuple[type[BaseModel], ...] = ()
    refuses: tuple[int, ...] = ()
    by_connection: bool = False


def _fields(model: type[BaseModel], *names: str) -> dict[str, Schema]:
    found: dict[str, Any] = model.model_json_schema()["properties"]
    return {name: about for name, about in found.items() if not names or name in names}


_DONE, _JOB = ref("Enqueued"), ref("JobDetail")
_GONE = (404,)
_ONE: Schema = an_object(id=TEXT)

# (method, path) as the router writes it.
FACTS: dict[tuple[str, str], Facts] = {
    ("GET", "/api/v1/stats"): Facts({200: ref("Stats")}, by_connection=True),
    ("GET", "/api/v1/jobs"): Facts(
        {200: page_of("Job")}, _fields(ListQuery, *FILTERS, "state", "limit", "cursor"), by_connection=True
    ),
    ("POST", "/api/v1/jobs"): Facts(
        {201: {"anyOf": [_JOB, an_object(ids={"type": "array", "items": TEXT})]}},
        takes=(JobRequest, JobsRequest), refuses=(409,), by_connection=True,
    ),
    ("GET", "/api/v1/jobs/{id}"): Facts({200: _JOB}, refuses=_GONE, by_connection=True),
    ("POST", "/api/v1/jobs/{id}/cancel"): Facts(
        {202: an_object(id=TEXT, state=TEXT)}, refuses=(404, 409), by_connection=True
    ),
    ("POST", "/api/v1/jobs/{id}/again"): Facts(
        {201: _JOB}, takes=(EditedJob,), refuses=(404, 409), by_connection=True
    ),
    ("GET", "/api/v1/failed"): Facts(
        {200: page_of("FailedJob")}, _fields(ListQuery, *FILTERS, "limit", "cursor"), by_connection=True
    ),
    ("GET", "/api/v1/failed/{id}"): Facts({200: ref("FailedJob")}, refuses=_GONE, by_connection=True),
    ("POST", "/api/v1/failed/{id}/retry"): Facts({200: _JOB}, refuses=(404, 409), by_connection=True),
    ("DELETE", "/api/v1/failed/{id}"): Facts({204: None}, refuses=(404, 409), by_connection=True),
    ("GET", "/api/v1/queues"): Facts({200: items_of("Queue")}, by_connection=True),
    ("POST", "/api/v1/queues/{queue}/{action}"): Facts(
        {200: an_object(queue=TEXT, paused={"type": "boolean"})}, refuses=(404, 409), by_connection=True
    ),
    ("POST", "/api/v1/queues/{queue}/empty"): Facts(
        {202: ref("Operation")}, takes=(Confirmation,), refuses=(404, 409), by_connection=True
    ),
    ("GET", "/api/v1/workers"): Facts({200: items_of("Worker")}, by_connection=True),
    ("GET", "/api/v1/groups"): Facts(
        {200: {**items_of("Group"), "required": ["items", "total"]}},
        {"from": {"type": "integer", "minimum": 0, "maximum": 999_999_999}}, by_connection=True,
    ),
    ("GET", "/api/v1/operations"): Facts({200: items_of("Operation")}),
    ("POST", "/api/v1/operations"): Facts(
        {202: ref("Operation")}, takes=(OperationRequest,), refuses=(404, 409), by_connection=True
    ),
    ("GET", "/api/v1/operations/{id}"): Facts({200: ref("Operation")}, refuses=_GONE),
    ("POST", "/api/v1/operations/{id}/cancel"): Facts({202: ref("Operation")}, refuses=(404, 409)),
    ("GET", "/api/v1/logs"): Facts({200: page_of("LogLine")}, _fields(LogQuery), by_connection=True),
    ("GET", "/api/v1/charts"): Facts(
        {200: ref("Chart")}, {"span": {"enum": ["hour", "day", "week"]}, "queue": TEXT}, by_connection=True
    ),
    ("GET", "/api/v1/rates"): Facts({200: an_object(items={"type": "object"})}, by_connection=True),
    ("GET", "/api/v1/schedules"): Facts({200: items_of("Schedule")}, by_connection=True),
    ("POST", "/api/v1/schedules/{name}"): Facts(
        {200: ref("Schedule")}, takes=(ScheduleChange,), refuses=_GONE, by_connection=True
    ),
    ("POST", "/api/v1/schedules/{name}/run"): Facts({202: _DONE}, refuses=(404, 409), by_connection=True),
    ("GET", "/api/v1/settings"): Facts({200: items_of("Override")}, by_connection=True),
    ("POST", "/api/v1/settings/{kind}/{name}"): Facts(
        {200: ref("Override")}, takes=(OverrideRequest,), refuses=_GONE, by_connection=True
    ),
    ("GET", "/api/v1/audit"): Facts({200: items_of("Change")}, by_connection=True),
    ("GET", "/api/v1/connections"): Facts({200: items_of("Connection")}),
    ("POST", "/api/v1/connections/{name}/test"): Facts({200: ref("Tested")}, refuses=_GONE),
    ("GET", "/api/v1/me"): Facts({200: ref("Me")}),
    ("POST", "/api/v1/telemetry"): Facts(
        {202: an_object(accepted=NUMBER, refused=ANY, clock=ANY)}, takes=(TelemetryBatch,)
    ),
    ("GET", "/api/v1/templates"): Facts({200: items_of("Template")}),
    ("GET", "/api/v1/templates/{name}"): Facts({200: ref("Template")}, refuses=_GONE),
    ("POST", "/api/v1/templates/preview"): Facts(
        {200: an_object(subject=TEXT, text=TEXT, html=TEXT, names=ANY, variables=ANY)}, takes=(Preview,)
    ),
    ("POST", "/api/v1/templates/{name}"): Facts({201: ref("Template")}, takes=(TemplateParts,), refuses=(404, 409)),
    ("POST", "/api/v1/templates/{name}/test"): Facts({202: _DONE}, takes=(TestMail,), refuses=_GONE),
    ("POST", "/api/v1/templates/{name}/rollback"): Facts({201: ref("Template")}, takes=(RollBack,), refuses=_GONE),
    ("GET", "/api/v1/webhooks"): Facts({200: items_of("Endpoint")}),
    ("POST", "/api/v1/webhooks"): Facts({201: ref("Endpoint")}, takes=(NewEndpoint,)),
    ("POST", "/api/v1/webhooks/{id}"): Facts({200: ref("Endpoint")}, takes=(EndpointChange,), refuses=_GONE),
    ("DELETE", "/api/v1/webhooks/{id}"): Facts({204: None}, refuses=_GONE),
    ("POST", "/api/v1/webhooks/{id}/delete"): Facts({200: ref("Thing")}, refuses=_GONE),
    ("POST", "/api/v1/webhooks/{id}/rotate"): Facts(
        {200: an_object(id=TEXT, secret=TEXT)}, takes=(Rotation,), refuses=_GONE
    ),
    ("GET", "/api/v1/webhooks/{id}/deliveries"): Facts({200: items_of("Thing")}, refuses=_GONE),
    ("POST", "/api/v1/deliveries/{id}/resend"): Facts({202: _DONE}, refuses=(404, 409)),
    ("POST", "/api/v1/events"): Facts({202: _DONE}, takes=(EventRequest,)),
    ("GET", "/api/v1/licences"): Facts({200: items_of("Thing")}),
    ("POST", "/api/v1/licences"): Facts({202: an_object(batch=NUMBER, id=TEXT)}, takes=(LicenceRequest,)),
    ("GET", "/api/v1/exports"): Facts({200: items_of("Thing")}),
    ("POST", "/api/v1/exports"): Facts({202: an_object(export=TEXT, id=TEXT)}, takes=(ExportRequest,)),
    ("GET", "/api/v1/exports/{id}"): Facts({200: ref("Thing")}, refuses=_GONE),
    ("GET", "/api/v1/sync/runs"): Facts({200: items_of("Thing")}, {"marketplace": TEXT}),
    ("POST", "/api/v1/sync"): Facts({202: _DONE}, takes=(SyncRequest,)),
}  # fmt: skip
# The same by the method that REST would take, for programmes; forms of a browser can only POST.
FACTS |= {
    (method, path): FACTS["POST", path]
    for method, path in (
        ("PATCH", "/api/v1/schedules/{name}"), ("PUT", "/api/v1/settings/{kind}/{name}"),
        ("PUT", "/api/v1/templates/{name}"), ("PATCH", "/api/v1/webhooks/{id}"),
    )
}  # fmt: skip
