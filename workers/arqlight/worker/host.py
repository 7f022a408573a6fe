"""What an attempt, and a runner of a database's jobs, need of the worker they belong to."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from arq.connections import ArqRedis
from arq.cron import CronJob
from arq.worker import Function

from arqlight.jobs.overrides import Overrides
from arqlight.runtime.progress import Progress
from arqlight.settings import Settings


class AttemptHost(Protocol):
    """The worker of an attempt: arq's own attributes, and ours beside them."""

    id: str
    ctx: dict[Any, Any]
    functions: dict[str, Function | CronJob]
    overrides: Overrides
    secrets: tuple[str, ...]
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
    job_timeout_s: float
    max_tries: int
    jobs_complete: int
    jobs_failed: int
    jobs_retried: int

    @property
    def pool(self) -> ArqRedis: ...


class RunnerHost(AttemptHost, Protocol):
    """The worker beside which jobs of a database run."""

    progress: Progress
    settings: Settings
    queues: list[str]
    limits: dict[str, int]
    max_jobs: int
    burst: bool
    after_job_end: Any

    def tasks_to_announce(self) -> dict[str, dict[str, Any]]:
        """What those that enqueue by name have to know of each task."""
        ...
