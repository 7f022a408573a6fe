"""What the API answers with, as JSON Schema. More members may come; none of those that are required goes."""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer"}
YES_NO: Schema = {"type": "boolean"}
ANY: Schema = {}
LIST: Schema = {"type": "array"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
MOMENT: Schema = {"type": "string", "format": "date-time"}
MOMENT_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}


def an_object(**required: Schema) -> Schema:
    """An object with these members, and maybe more."""
    return {"type": "object", "required": list(required), "properties": required}


def page_of(name: str) -> Schema:
    """A page of a list, with the cursor of the next one."""
    return an_object(items={"type": "array", "items": ref(name)}, next=TEXT_OR_NULL)


def items_of(name: str) -> Schema:
    """A list that is whole."""
    return an_object(items={"type": "array", "items": ref(name)})


def ref(name: str) -> Schema:
    """One of the schemas below."""
    return {"$ref": f"#/components/schemas/{name}"}


_JOB = {
    "id": TEXT,
    "connection": TEXT,
    "driver": {"enum": ["redis", "database"]},
    "queue": TEXT,
    "task": TEXT,
    "state": {"enum": ["scheduled", "queued", "processing", "succeeded", "failed", "cancelled"]},
    "attempts": NUMBER,
    "created_at": MOMENT_OR_NULL,
    "started_at": MOMENT_OR_NULL,
    "finished_at": MOMENT_OR_NULL,
    "worker": TEXT_OR_NULL,
    "args": LIST,
    "kwargs": {"type": "object"},
}
_FAILURE = {"error": TEXT, "message": TEXT, "trace": TEXT, "fingerprint": TEXT, "failed_at": MOMENT_OR_NULL}
_LANE = {
    "queue": TEXT, "processing": NUMBER, "queued": NUMBER, "scheduled": NUMBER, "workers": NUMBER, "active": YES_NO,
    "paused": YES_NO, "oldest_at": MOMENT_OR_NULL,
}  # fmt: skip

SCHEMAS: dict[str, Schema] = {
    "Problem": an_object(type=TEXT, title=TEXT, status=NUMBER, detail=TEXT, instance=TEXT),
    "Job": an_object(**_JOB),
    "JobDetail": an_object(**_JOB, failures={"type": "array", "items": an_object(**_FAILURE)}, timeline=LIST),
    "FailedJob": an_object(**_JOB, **_FAILURE),
    "Stats": an_object(
        processing=NUMBER, queued=NUMBER, scheduled=NUMBER, failed=NUMBER, active_queues=NUMBER, workers=NUMBER,
        cursor=TEXT, lanes={"type": "array", "items": ref("Queue")},
    ),
    "Queue": an_object(**_LANE),
    "Worker": an_object(
        id=TEXT, alive=YES_NO, host=TEXT_OR_NULL, queues=LIST, tasks=LIST, max_jobs=NUMBER, running=NUMBER,
        started_at=MOMENT,
    ),
    "Group": an_object(
        fingerprint=TEXT, task=TEXT, error=TEXT, message=TEXT, count=NUMBER, first_seen=MOMENT_OR_NULL,
        last_seen=MOMENT_OR_NULL, spark=LIST,
    ),
    "Operation": an_object(
        id=TEXT, connection=TEXT, kind={"enum": ["retry", "delete", "empty"]}, who=TEXT, state=TEXT, done=NUMBER,
        skipped=NUMBER, started_at=MOMENT, ended_at=MOMENT_OR_NULL,
    ),
    "LogLine": an_object(at=MOMENT, level=TEXT, message=TEXT),
    "Chart": an_object(span={"enum": ["hour", "day", "week"]}, step_s=NUMBER, points=LIST),
    "Schedule": an_object(
        name=TEXT, cron=TEXT, words=TEXT, jitter_s={"type": "number"}, enabled=YES_NO, task=TEXT, queue=TEXT,
        next_at=MOMENT_OR_NULL, last_job=TEXT_OR_NULL,
    ),
    "Override": an_object(kind={"enum": ["queue", "task"]}, name=TEXT),
    "Change": an_object(at=MOMENT, who=TEXT, what=TEXT, **{"from": ANY, "to": ANY}),
    "Connection": an_object(
        name=TEXT, driver={"enum": ["redis", "database"]}, address=TEXT, ok=YES_NO, detail=TEXT, observed=YES_NO,
        warning=TEXT,
    ),
    "Tested": an_object(name=TEXT, ok=YES_NO, detail=TEXT),
    "Enqueued": an_object(id=TEXT),
    "Me": an_object(name=TEXT, role={"enum": ["viewer", "operator", "admin"]}, by=TEXT),
    "Endpoint": an_object(
        id=TEXT, url=TEXT, description=TEXT, event_types=LIST, enabled=YES_NO, failures_in_a_row=NUMBER,
    ),
    "Template": an_object(name=TEXT, version=NUMBER, subject=TEXT, text=TEXT, html=TEXT, variables=LIST),
    "Thing": {"type": "object"},
}  # fmt: skip
