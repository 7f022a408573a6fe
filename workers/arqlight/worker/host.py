"""What an attempt, and a runner of a database's jobs, need of the worker they belong to."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from arq.connections import ArqRedis
from arq.cron import CronJob
from arq.worker import Function

from arqlight.jobs.overrides import Overrides
from arqlight.journal.journal import Ending
from arqlight.runtime.progress import Progress
from arqlight.settings import Settings
from arqlight.worker.heartbeat import HeartbeatHost
from arqlight.worker.queue_order import QueueOrder


class AttemptHost(Protocol):
    """The worker of an attempt: arq's own attributes, and ours beside them."""

    id: str
    ctx: dict[Any, Any]
    functions: dict[str, Function | CronJob]
    overrides: Overrides
    result_ttls_ms: dict[str, int]
    aborting_tasks: set[str]
    loop: asyncio.AbstractEventLoop
    job_serializer: Callable[[dict[str, Any]], bytes] | None
    job_deserializer: Callable[[bytes], dict[str, Any]] | None
    on_job_start: Any
    on_job_end: Any
    retry_jobs: bool
    log_results: bool
    keep_result_s: float
    keep_result_forever: bool
    max_tries: int
    is_stopping: bool

    @property
    def job_timeout_s(self) -> float | None: ...
    @property
    def pool(self) -> ArqRedis: ...


class RunnerHost(AttemptHost, HeartbeatHost, Protocol):
    """The worker beside which jobs of a database run."""

    progress: Progress
    settings: Settings
    queues: list[str]
    queue_order: QueueOrder
    limits: dict[str, int]
    keeps_to_own: bool
    max_jobs: int
    burst: bool
    max_burst_jobs: int
    after_job_end: Any

    def count(self, ending: Ending) -> None:
        """Count a job that is over, once."""
        ...

    def jobs_begun(self, *, and_asked_for: bool) -> int:
        """How many jobs this worker began, on all its connections; with those that claims on their way may bring."""
        ...

    def tasks_to_announce(self) -> dict[str, dict[str, Any]]:
        """What those that enqueue by name have to know of each task."""
        ...
