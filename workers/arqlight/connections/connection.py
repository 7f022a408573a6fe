"""What a connection is: the reads, the transitions, the stream of changes and the parts of one place where jobs live.

The service, the feed, the API, the commands and the pages know nothing else of it. `redis/` is the journal's,
`observed/` looks at plain arq without touching it, `database/` keeps jobs in PostgreSQL.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from arqlight.connections.parts import Part
from arqlight.connections.parts.audit import Audit
from arqlight.connections.parts.counters import Counters
from arqlight.connections.parts.log import Log
from arqlight.connections.parts.maintenance import Maintenance
from arqlight.connections.parts.override_settings import OverrideSettings
from arqlight.connections.parts.schedules import Schedules
from arqlight.connections.parts.store import Store
from arqlight.jobs.filters import ALL, JobFilter
from arqlight.jobs.job import Job, State
from arqlight.jobs.job_detail import JobDetail
from arqlight.jobs.overview import Overview
from arqlight.journal.journal import NewJob

Driver = Literal["redis", "database"]
ACTIVE_ROWS = 10


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of a job's state, at a place in the stream. `told` is what the feed says of it, if that was asked for.

    `touches_failed` says that the failed list may look different behind it.
    """

    cursor: str
    job: str
    touches_failed: bool
    told: dict[str, Any] | None = None


class Reads(Protocol):
    """What can be asked. Each raises one of `connection_errors.SERVER_ERRORS` when its server is away."""

    async def overview(self, rows: int = ACTIVE_ROWS) -> Overview:
        """Counts and the active list, consistent with each other."""
        ...

    async def known_queues(self) -> list[str]:
        """The keys of every queue that was seen."""
        ...

    async def known_tasks(self) -> dict[str, dict[str, Any]]:
        """Every task a worker announced: name -> `{"queue", "serializer"}`."""
        ...

    async def is_settling(self) -> bool:
        """Whether the server lost what workers announced, not long ago, and they may not have done so again."""
        ...

    async def jobs(
        self, *, state: State | None = None, where: JobFilter = ALL, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[Job], str | None]:
        """A page of jobs, newest first within each state, and the next cursor. Raises CursorInvalid.

        A page that is short and has a cursor was cut: reading more would have taken too much (see `reading.Reading`).
        """
        ...

    async def failed(
        self, *, where: JobFilter = ALL, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of failed jobs with their traces, newest first, and the next cursor. Raises CursorInvalid."""
        ...

    async def failed_by_id(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Those of `ids` that are in the failed list now, newest first, as `failed` shows them."""
        ...

    async def kept(self, ids: Sequence[str]) -> dict[str, State]:
        """Those of `ids` whose job failed or was cancelled, and is kept to be looked at and run again: id -> state."""
        ...

    async def count_failed(self, where: JobFilter) -> int | None:
        """How many failed jobs match; None where nobody knows before they are read."""
        ...

    async def groups(self, first: int = 0, limit: int = 50) -> tuple[list[dict[str, Any]], int]:
        """Failed jobs by cause, the last seen first, from place `first`, and how many causes there are."""
        ...

    async def job(self, job_id: str) -> JobDetail:
        """One job with all that is kept of it. Raises JobNotFound."""
        ...

    async def job_json(self, job_id: str) -> dict[str, Any]:
        """One job as the API shows it, with `failures`, `timeline`, `result` and `log`. Raises JobNotFound."""
        ...

    async def payload(self, job_id: str) -> bytes | None:
        """A job's bytes, wherever they stand."""
        ...

    async def workers(self) -> list[dict[str, Any]]:
        """The workers that live, the oldest first (see `worker_list.read_workers`)."""
        ...

    async def dead_workers(self) -> list[dict[str, Any]]:
        """The workers that stopped without notice within the hour."""
        ...

    async def rates(self) -> dict[str, dict[str, Any]]:
        """Of each queue (by key) what the last five minutes counted (see `counters.read_rates`)."""
        ...


class Transitions(Protocol):
    """What can be done to jobs; each as a whole or not at all."""

    async def enqueue(self, jobs: Sequence[NewJob]) -> list[str]:
        """Enqueue all of `jobs` or none; the ids, in order. Raises JobExists, arq's SerializationError."""
        ...

    async def retry(self, job_id: str, until_ms: int | None = None) -> None:
        """Put a failed job back with 0 attempts; with `until_ms`, only when it failed no later than that.

        Raises JobNotFound, JobNotRetryable.
        """
        ...

    async def delete(self, job_id: str, until_ms: int | None = None) -> None:
        """Remove a failed job permanently. Raises JobNotFound."""
        ...

    async def cancel(self, job_id: str, queue: str, task: str, created_ms: int | None = None) -> bool:
        """True when it waited and is cancelled, False when it runs and was asked to stop. Raises JobNotCancellable."""
        ...

    async def pause(self, queue: str, paused: bool) -> bool:
        """Let no worker of ours claim from a queue (by key), or let them again; whether that changed anything."""
        ...

    async def empty(self, queue: str, most: int) -> int:
        """Remove up to `most` jobs that wait in a queue (by key), due or scheduled; how many went."""
        ...

    async def rescue(self) -> int:
        """Return the jobs of dead workers to their queues; how many came back."""
        ...


class Stream(Protocol):
    """The transitions in order. A cursor is a place among them.

    One that `tells` nothing has none: what changed is found by looking.
    """

    tells: bool

    async def last_cursor(self) -> str:
        """The place of the newest."""
        ...

    async def can_resume(self, cursor: str) -> bool:
        """Whether everything behind `cursor` is still there."""
        ...

    async def after(self, cursor: str, count: int, *, told: bool = True) -> list[Transition]:
        """Those behind `cursor`, oldest first; with `told`, as the feed tells them."""
        ...

    async def wait(self, cursor: str, longest_ms: int) -> None:
        """Return when there may be something behind `cursor`, or when the time is up."""
        ...

    async def say_watched(self, seconds: int) -> None:
        """Somebody looks at progress, for the next seconds."""
        ...


class Connection(Protocol):
    """A named place where jobs live. `address` carries no password, `shown_driver` is the driver's name for people.

    A part that the driver does not have raises NotSupported; `supports` tells without an exception.
    """

    @property
    def name(self) -> str: ...
    @property
    def driver(self) -> Driver: ...
    @property
    def shown_driver(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def can_write(self) -> bool: ...
    @property
    def reader(self) -> Reads: ...
    @property
    def journal(self) -> Transitions: ...
    @property
    def stream(self) -> Stream: ...
    @property
    def log(self) -> Log: ...
    @property
    def schedules(self) -> Schedules: ...
    @property
    def overrides(self) -> OverrideSettings: ...
    @property
    def counters(self) -> Counters: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def maintenance(self) -> Maintenance: ...
    @property
    def store(self) -> Store: ...

    def supports(self, part: Part) -> bool:
        """Whether the driver has a part; asks no server."""
        ...

    def task_context(self) -> dict[str, Any]:
        """What a task finds of this connection in its `ctx`, as arq fills it in: `redis`, where it is one."""
        ...

    async def ping(self) -> str:
        """What answers, in words ("Valkey 9.1.2"). Raises Unusable, one sentence without a password."""
        ...

    async def close(self) -> None:
        """Give up what is open."""
        ...
