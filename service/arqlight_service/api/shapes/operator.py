"""What those see who run the place: causes of failure, operations, the log, schedules, settings, the audit list."""

from typing import Any, Literal

from arqlight_service.api.shapes.answer import Answer, Items, Moment
from arqlight_service.api.shapes.job import Driver


class Group(Answer):
    """Failed jobs of one cause."""

    fingerprint: str
    task: str
    error: str
    message: str
    count: int
    first_seen: Moment | None
    last_seen: Moment
    spark: list[int]
    """How many failed in each of the last 24 hours, the oldest first."""


class Groups(Items[Group]):
    """Some of the causes, the last seen first."""

    total: int
    """How many causes there are."""


class Operation(Answer):
    """Work on many jobs at once."""

    id: str
    connection: str
    kind: Literal["retry", "delete", "empty"]
    who: str
    state: Literal["running", "done", "cancelled"]
    total: int | None
    """How many jobs are meant; null where they have to be read to know."""
    done: int
    skipped: int
    """Jobs that were gone meanwhile, or failed again since."""
    where: dict[str, Any]
    """The filter."""
    queue: str | None
    started_at: Moment
    ended_at: Moment | None


class LogLine(Answer):
    """A line of the log."""

    id: str
    at: Moment
    job: str
    """Empty where no job said it."""
    task: str
    level: Literal["debug", "info", "warning", "error"]
    logger: str
    message: str
    worker: str


class Schedule(Answer):
    """A periodic job."""

    name: str
    cron: str
    """Five fields, UTC."""
    words: str
    jitter_s: float
    enabled: bool
    task: str
    queue: str
    kwargs: dict[str, Any]
    next_at: Moment | None
    last_job: str | None


class Setting(Answer):
    """What was set for a queue or a task, over what the code says."""

    kind: Literal["queue", "task"]
    name: str
    timeout_s: float | None = None
    tries: int | None = None
    backoff_first_s: float | None = None
    backoff_longest_s: float | None = None
    keep_result_s: float | None = None
    concurrency: int | None = None


class Connection(Answer):
    """A named place where jobs live."""

    name: str
    driver: Driver
    address: str
    """Without name and password."""
    ok: bool
    """Whether it answers."""
    detail: str
    observed: bool
    """Whether it is only looked at."""
    warning: str


class TestedConnection(Answer):
    """What a connection answered just now."""

    name: str
    ok: bool
    detail: str


class Me(Answer):
    """Whom the service takes the asker for."""

    name: str
    role: Literal["public", "viewer", "operator", "admin"]
    by: Literal["local", "session", "token", "proxy"]
