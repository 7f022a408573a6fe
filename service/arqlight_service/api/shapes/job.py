"""Jobs."""

from typing import Any, Literal

from pydantic import Field

from arqlight.jobs.job import State
from arqlight_service.api.shapes.answer import Answer, Moment

Driver = Literal["redis", "database"]


class Progress(Answer):
    """How far a running job is."""

    done: float
    total: float
    what: str
    """Of what."""
    at: int
    """When it said so, milliseconds since the epoch."""


class Job(Answer):
    """A job."""

    id: str
    connection: str
    """The name of the connection it lives in."""
    driver: Driver
    queue: str = Field(examples=["default"])
    task: str = Field(examples=["send_email"])
    state: State
    attempts: int
    """How often it was begun; the first attempt is 1."""
    created_at: Moment | None
    started_at: Moment | None
    finished_at: Moment | None
    due_at: Moment | None
    """When it may run; of a job that waits."""
    worker: str | None
    args: list[Any]
    """Positional arguments as plain JSON; secrets are masked."""
    kwargs: dict[str, Any]
    """Arguments by name as plain JSON; secrets are masked."""
    arguments_problem: str | None
    """Why the arguments cannot be shown."""
    summary: str
    """The arguments on one line, as a call would write them."""
    progress: Progress | None
    error: str | None = None
    """The class of the last error; of a failed job."""
    message: str | None = None
    fingerprint: str | None = None
    """The same for failures of one cause."""
    failed_at: Moment | None = None
    repeats: int | None = None
    """How many more failed of the same cause."""
    observed: bool | None = None
    """True for a job of a connection that is only observed."""
    trace: str | None = None
    """The stack trace of the last attempt."""


class FailedJob(Job):
    """A job of the failed list."""

    trace: str
    """The stack trace of the last attempt."""


class Failure(Answer):
    """A failed attempt."""

    attempt: int
    error: str
    """The class of the error."""
    message: str
    trace: str
    """The whole stack trace, bounded."""
    fingerprint: str
    worker: str
    started_at: Moment | None
    failed_at: Moment


class TimelineStep(Answer):
    """Something that happened to a job."""

    at: Moment
    what: str = Field(examples=["started"])
    attempt: int | None
    worker: str | None
    detail: str | None


class JobLogLine(Answer):
    """A line that a job said."""

    at: Moment
    level: str
    logger: str
    message: str


class JobDetail(Job):
    """A job with all that is kept of it."""

    failures: list[Failure]
    """Failed attempts, newest first."""
    timeline: list[TimelineStep]
    """What happened, oldest first."""
    result: Any
    """What the task returned, as plain JSON; null when it is not kept."""
    log: list[JobLogLine]


class JobIds(Answer):
    """The jobs that were enqueued, in order."""

    ids: list[str]


class Enqueued(Answer):
    """The job that does it."""

    id: str


class Cancelled(Answer):
    """What became of a job that was called off."""

    id: str
    state: Literal["cancelled", "processing"]
    """`processing`: it runs, and its worker was asked to stop it."""
