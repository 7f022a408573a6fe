"""What the feed sends: the data of each topic, and the frames that belong to none."""

from typing import Any, Literal

from pydantic import ConfigDict

from arqlight_service.api.shapes.answer import Answer, Moment
from arqlight_service.api.shapes.job import FailedJob, Job, JobDetail
from arqlight_service.api.shapes.operator import Connection, Operation
from arqlight_service.api.shapes.queue import Counts, Queue
from arqlight_service.api.shapes.worker import Worker


class FailedChange(Answer):
    """What is new in the failed list, and what is gone."""

    added: list[FailedJob]
    removed: list[str]
    """Ids."""


class NewestLine(Answer):
    """Where the log ends; what is new is read by `GET /api/v1/logs?after=`."""

    newest: str | None


class Event(Answer):
    """A transition of a job."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)

    type: Literal["event"]
    job: str
    state: Literal["scheduled", "queued", "processing", "succeeded", "failed", "cancelled", "deleted"]
    queue: str
    task: str
    attempt: int
    at: Moment
    cursor: str
    worker: str | None = None
    reason: str | None = None
    """Why, where the state alone does not say: `retried`, `rescued`, `unclaimed`, `emptied`, …"""
    error: str | None = None
    message: str | None = None


class Complaint(Answer):
    """What was wrong with something that a consumer sent, or what it missed."""

    type: Literal["error"]
    detail: str
    cursor: str | None


class Subscribed(Answer):
    """Which subscription the frames behind this one are of, for a consumer that gave it an `id`."""

    type: Literal["subscribed"]
    id: str
    topics: list[str]
    cursor: str | None


# By topic; those that end in a colon are followed by a name.
SNAPSHOTS: dict[str, Any] = {
    "counts": Counts,
    "active": list[Job],
    "failed": list[FailedJob],
    "events": list[Event],
    "workers": list[Worker],
    "logs": NewestLine,
    "operations": list[Operation],
    "connections": list[Connection],
    "queue:": Queue | None,
    "job:": JobDetail | None,
}
CHANGES: dict[str, Any] = {
    topic: FailedChange if topic == "failed" else data for topic, data in SNAPSHOTS.items() if topic != "events"
}
