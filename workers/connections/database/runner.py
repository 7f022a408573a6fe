"""Runs the jobs of a database connection: PgQueuer takes them, our attempt runs them, by the same rules as on Redis."""

import asyncio
import contextlib
import copy
import logging
import os
import socket
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from arq.constants import expires_extra_ms
from pgqueuer.core.executors import AbstractEntrypointExecutor, EntrypointExecutorParameters
from pgqueuer.core.qm import QueueManager
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Context, Job
from pgqueuer.domain.types import JobId, QueueEntrypoint, QueueExecutionMode

from workers.attempt import Attempt
from workers.connections.database import DatabaseConnection
from workers.connections.database.endings import EndingQueries
from workers.connections.database.pool import REFUSED, names, pgqueuer_queries
from workers.connections.database.rows import to_ms
from workers.connections.database.writes import Writes
from workers.errors import ArqlightError, WorkerLost
from workers.journal import Claim
from workers.keys import queue_key, queue_name
from workers.liveness import BEAT_S, LEASE_MS, memory_bytes
from workers.logbook import Logbook
from workers.progress import Progress

if TYPE_CHECKING:
    from workers.worker import Worker

logger = logging.getLogger("arqlight.database")
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0
POLL_S = 5.0  # PgQueuer is told of new jobs; a NOTIFY can be lost with its connection
# PgQueuer's own rescue, by a heartbeat of each job, is left to a far day: ours goes by the worker's lease, as on Redis.
NEVER = timedelta(days=365)
PRUNE_EVERY_BEATS = 24


class JobFailed(Exception):
    """What PgQueuer is told of a job that failed; the failure itself is in the endings."""


def _is_news(record: logging.LogRecord) -> bool:
    """A job that failed was told of by its attempt, with its stack trace; PgQueuer would tell of it again."""
    return not (record.exc_info and record.exc_info[0] is JobFailed)


logging.getLogger("pgqueuer").addFilter(_is_news)


class Recall:
    """In the place of PgQueuer's cancel scope: calls off an attempt as arq's abort does."""

    def __init__(self, view: "Worker", claim: Claim, task: asyncio.Task[Any]) -> None:
        self._view, self._claim, self._task = view, claim, task
        self.cancel_called = False

    def cancel(self) -> None:
        """Stop the job where it is."""
        self.cancel_called = True
        self._view.aborting_tasks.add(self._claim.id)
        self._task.cancel()


class LaneManager(QueueManager):
    """PgQueuer's worker, which claims nothing from a lane that is paused."""

    paused: frozenset[str] = frozenset()

    def entrypoints_below_capacity_limits(self) -> set[QueueEntrypoint]:
        """The lanes to take from now."""
        return {lane for lane in super().entrypoints_below_capacity_limits() if lane not in self.paused}


class JobExecutor(AbstractEntrypointExecutor):
    """Hands each job that PgQueuer takes to the runner."""

    def __init__(self, parameters: EntrypointExecutorParameters, runner: "Runner") -> None:
        super().__init__(parameters)
        self._runner = runner

    async def execute(self, job: Job, context: Context) -> None:
        """Run it once. Raises JobFailed or RetryRequested, by which PgQueuer knows how it ended."""
        await self._runner.run_job(job, context)


class Runner:
    """Runs jobs of one database beside a worker, with its tasks, hooks and settings, in slots of its own."""

    def __init__(self, worker: "Worker", connection: DatabaseConnection) -> None:
        self.connection = connection
        self._pool = connection.pool
        self._worker = worker
        self._stopping = asyncio.Event()
        self._running: dict[JobId, asyncio.Task[Any]] = {}
        self._manager: LaneManager | None = None
        self._serving: asyncio.Task[None] | None = None
        writes = Writes(self._pool)
        # The worker as an attempt of this database sees it: what is shared is shared, what is told goes elsewhere.
        self.view = view = copy.copy(worker)
        view.id = f"{worker.id}@{connection.name}"
        view.aborting_tasks = set()
        view.result_ttls_ms = {}
        view.progress = Progress(writes)
        view.ctx = {**worker.ctx, "progress": view.progress, "connection": connection.name}
        self._logbook = Logbook(writes, view.id, view.secrets, only_jobs=True)
        self._endings: EndingQueries | None = None

    def start(self) -> None:
        """Begin; a database that is away is waited for."""
        self._serving = asyncio.create_task(self._serve())

    async def stop(self, grace_s: float) -> None:
        """Take nothing more; what runs has `grace_s` seconds, then goes back with its attempt not counted."""
        self._stopping.set()
        if self._manager:
            self._manager.shutdown.set()
        if self._serving is None:
            return
        if self._running and grace_s > 0:
            await asyncio.wait(set(self._running.values()), timeout=grace_s)
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(self._serving, return_exceptions=True)

    async def drained(self) -> None:
        """Return when a burst is over."""
        if self._serving is not None:
            await self._serving

    def wake(self) -> None:
        """Something that was set has changed."""
        self.view.overrides = self._worker.overrides

    async def run_job(self, job: Job, context: Context) -> None:
        """One attempt. Raises JobFailed or RetryRequested."""
        task = asyncio.current_task()
        assert task is not None and self._endings is not None  # noqa: PT018, S101 - PgQueuer runs it in a task of its own
        claim = await self._claim(job)
        context.cancellation = Recall(self.view, claim, task)  # type: ignore[assignment]
        attempt = Attempt(self.view, claim)
        self._running[job.id] = task
        asyncio.get_running_loop().call_soon(attempt.set_timer, task)
        try:
            ending = await attempt.run()
        finally:
            self._running.pop(job.id, None)
            self.view.progress.forget(claim.id)
        self._endings.note(job.id, ending, attempt.started_ms)
        if self.view.after_job_end is not None:
            await attempt.hook(self.view.after_job_end, "after_job_end")
        if ending.kind == "failed":
            raise JobFailed
        if ending.kind == "rescheduled":
            raise RetryRequested(timedelta(milliseconds=ending.delay_ms))

    async def _claim(self, job: Job) -> Claim:
        lost: Any = "-"
        if job.attempts:
            lost = await self._pool.value("lost_workers", job.id, WorkerLost.__name__)
        headers: dict[str, Any] = job.headers or {}
        expires_ms = float(headers.get("expires_ms", expires_extra_ms))
        due_ms = to_ms(job.execute_after)
        is_expired = to_ms(job.updated) - due_ms > expires_ms and not job.attempts
        payload = None if is_expired else job.payload
        name, queue = headers.get("id", str(job.id)), queue_key(job.entrypoint)
        return Claim(name, queue, payload, job.attempts + 1, "", due_ms, False, str(lost))

    async def _serve(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            try:
                await self._take_jobs()
                pause_s = FIRST_PAUSE_S
            except (*REFUSED, ArqlightError) as error:
                logger.warning("jobs of connection %r wait: %s", self.connection.name, error)
            except Exception:
                logger.exception("jobs of connection %r wait, trying again", self.connection.name)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._stopping.wait()
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _take_jobs(self) -> None:
        """Until stopped, or until the database goes away."""
        lanes = [queue_name(queue) for queue in self._worker.queues]
        await self.connection.journal.announce_queues(lanes)
        await self.connection.journal.announce_tasks(self._worker.tasks_to_announce())
        driver = AsyncpgPoolDriver(await self._pool.open())
        manager_id = uuid.uuid4()
        self._endings = endings = pgqueuer_queries(driver, EndingQueries)
        endings.belongs_to(manager_id, self.view.id)
        self._manager = manager = LaneManager(endings, channel=names().channel)
        manager.queue_manager_id = manager_id  # type: ignore[assignment]
        for lane in lanes:
            limit = self._worker.limits.get(queue_key(lane), 0)
            parameters = EntrypointExecutorParameters(concurrency_limit=limit, func=_nothing, on_failure="hold")
            manager.register_executor(lane, JobExecutor(parameters, self))
        self._worker_id = f"{self.view.id}:{str(manager_id)[:4]}"
        await self._beat(manager, lanes)
        beating = asyncio.create_task(self._keep_beating(manager, lanes))
        batch = max(1, self._worker.max_jobs // 2)
        mode = QueueExecutionMode.drain if self._worker.burst else QueueExecutionMode.continuous
        if self._stopping.is_set():
            manager.shutdown.set()
        try:
            with self._logbook.attached():
                await manager.run(
                    dequeue_timeout=timedelta(seconds=POLL_S), batch_size=batch, mode=mode,
                    max_concurrent_tasks=2 * batch, heartbeat_timeout=NEVER, log_aggregation_interval=timedelta(0),
                )  # fmt: skip
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            await self._logbook.close_book()
        if self._worker.burst:
            self._stopping.set()
        await self._pool.rows("leave", self._worker_id)
        await self.connection.journal.rescue()  # what could not be written goes back

    async def _keep_beating(self, manager: LaneManager, lanes: Sequence[str]) -> None:
        beats = 0
        while True:
            await asyncio.sleep(BEAT_S)
            beats += 1
            try:
                await self._beat(manager, lanes)
                await self.connection.journal.rescue()
                if beats % PRUNE_EVERY_BEATS == 0:
                    settings = self._worker.settings
                    bounds = (settings.keep_succeeded, settings.keep_failed, settings.keep_events)
                    await self._pool.rows("prune", *bounds)
            except ArqlightError as error:
                logger.warning("heartbeat of %s not sent: %s", self.view.id, error)

    async def _beat(self, manager: LaneManager, lanes: Sequence[str]) -> None:
        from workers.worker import VERSION

        about = {
            "host": socket.gethostname(), "pid": os.getpid(), "version": VERSION, "queues": list(lanes),
            "tasks": sorted(self._worker.functions), "max_jobs": self._worker.max_jobs, "memory_bytes": memory_bytes(),
        }  # fmt: skip
        await self._pool.rows("beat", self._worker_id, manager.queue_manager_id, about, LEASE_MS / 1000)
        manager.paused = frozenset(row["queue"] for row in await self._pool.rows("paused"))


async def _nothing(job: Job) -> None:
    """PgQueuer wants a function for each entrypoint; the executor does not call it."""
