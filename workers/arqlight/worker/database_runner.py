"""Runs the jobs of a database connection: PgQueuer takes them, our attempt runs them, by the same rules as on Redis."""

import asyncio
import contextlib
import copy
import logging
import os
import socket
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pgqueuer.core.buffers import HeartbeatBuffer, JobStatusLogBuffer
from pgqueuer.core.qm import QueueManager
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.domain.models import Context, Job
from pgqueuer.domain.types import JOB_STATUS, JobId, QueueEntrypoint, QueueExecutionMode
from pgqueuer.ports.repository import EntrypointExecutionParameter

from arqlight.connections.database import DatabaseConnection
from arqlight.connections.database.endings import EndingQueries
from arqlight.connections.database.pool import REFUSED, names, pgqueuer_queries
from arqlight.connections.database.rows import to_ms
from arqlight.connections.database.writes import Writes
from arqlight.errors import ArqlightError, WorkerLost
from arqlight.jobs.queues import queue_key, queue_name
from arqlight.journal.journal import Claim
from arqlight.journal.scripting import LEASE_MS
from arqlight.runtime.job_log import Logbook
from arqlight.runtime.progress import Progress
from arqlight.worker.attempt import Attempt
from arqlight.worker.heartbeat import BEAT_S, memory_bytes
from arqlight.worker.host import RunnerHost

logger = logging.getLogger("arqlight.database")
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0
POLL_S = 5.0  # PgQueuer is told of new jobs; a NOTIFY can be lost with its connection
# PgQueuer's own rescue, by a heartbeat of each job, is left to a far day: ours goes by the worker's lease, as on Redis.
NEVER = timedelta(days=365)
PRUNE_EVERY_BEATS = 24
UNCLAIMED = "unclaimed"
STATUSES: dict[str, JOB_STATUS] = {"succeeded": "successful", "failed": "failed", "cancelled": "canceled"}


class AbortRequest:
    """In the place of PgQueuer's cancel scope: calls off an attempt as arq's abort does."""

    def __init__(self, view: RunnerHost, claim: Claim, task: asyncio.Task[Any]) -> None:
        self._view, self._claim, self._task = view, claim, task
        self.cancel_called = False

    def cancel(self) -> None:
        """Stop the job where it is."""
        self.cancel_called = True
        self._view.aborting_tasks.add(self._claim.key)
        self._task.cancel()


@dataclass
class PausableQueueManager(QueueManager):
    """PgQueuer's worker, which claims for so many slots, and nothing from a queue that is paused."""

    run_job: Callable[[Job, Context], Awaitable[str]] = field(init=False)
    slots: int = field(init=False, default=1)
    paused: frozenset[str] = field(init=False, default=frozenset())
    _freed: asyncio.Event = field(init=False, default_factory=asyncio.Event)

    def entrypoints_below_capacity_limits(self) -> set[QueueEntrypoint]:
        """The queues to take from now."""
        return {queue for queue in super().entrypoints_below_capacity_limits() if queue not in self.paused}

    async def fetch_jobs(
        self, batch_size: int, global_concurrency_limit: int | None, heartbeat_timeout: timedelta
    ) -> AsyncGenerator[Job, None]:
        """Jobs for the free slots, a batch at a time: the next batch is claimed while the one before runs.

        PgQueuer would count in the database what this worker holds, with each claim.
        """
        while not self.shutdown.is_set():
            self._freed.clear()
            free = self.slots - len(self.job_context)
            if free <= 0:
                await self._freed.wait()
                await asyncio.sleep(0)  # those that end together leave their slots together
                continue
            jobs = await self.queries.dequeue(
                batch_size=min(batch_size, free),
                entrypoints={
                    queue: EntrypointExecutionParameter(self.entrypoint_registry[queue].parameters.concurrency_limit)
                    for queue in self.entrypoints_below_capacity_limits()
                },
                queue_manager_id=self.queue_manager_id,
                global_concurrency_limit=None,
                heartbeat_timeout=heartbeat_timeout,
            )
            if not jobs:
                return
            for job in jobs:
                yield job

    async def _dispatch(
        self, job: Job, jbuff: JobStatusLogBuffer, hbuff: HeartbeatBuffer, heartbeat_timeout: timedelta
    ) -> None:
        # PgQueuer's own would start a heartbeat for each job, and be told by exceptions how it ended.
        ending = await self.run_job(job, self.get_context(job.id))
        if ending in ("rescheduled", UNCLAIMED):
            self.job_context.pop(job.id, None)  # it may be claimed again before this task is over
            await self._reschedule(job)
        else:
            await jbuff.add((job, STATUSES[ending], None))

    async def _reschedule(self, job: Job) -> None:
        while True:
            try:
                return await self.queries.retry_job(job, timedelta(0), None)
            except REFUSED as error:
                logger.warning("job %s waits to be put back: %s", job.id, error)
                if self.shutdown.is_set():
                    return None  # its worker's lease runs out, and any other puts it back
                await asyncio.sleep(FIRST_PAUSE_S)

    def wake(self) -> None:
        """Look whether to go on."""
        self._freed.set()

    def forget_job(self, job_id: JobId, context: Context, task: asyncio.Task[None]) -> None:
        """Its slot is free."""
        super().forget_job(job_id, context, task)
        self._freed.set()


class Runner:
    """Runs jobs of one database beside a worker, with its tasks, hooks and settings, in slots of its own."""

    def __init__(self, worker: RunnerHost, connection: DatabaseConnection) -> None:
        self.connection = connection
        self._pool = connection.pool
        self._worker = worker
        self._stopping = asyncio.Event()
        self._running: dict[JobId, asyncio.Task[Any]] = {}
        self._manager: PausableQueueManager | None = None
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
        self.view.is_stopping = True
        if self._manager:
            self._shut(self._manager)
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

    async def run_job(self, job: Job, context: Context) -> str:
        """One attempt, noted for the endings; its kind."""
        task = asyncio.current_task()
        assert task is not None and self._endings is not None  # noqa: PT018, S101 - PgQueuer runs it in a task of its own
        lost = await self._pool.value("lost_workers", job.id, WorkerLost.__name__) if job.attempts else "-"
        if self._stopping.is_set():
            return UNCLAIMED  # its claim was on the way while this worker was told to stop
        claim = _claim(job, str(lost))
        context.cancellation = AbortRequest(self.view, claim, task)  # type: ignore[assignment]
        attempt = Attempt(self.view, claim)
        self._running[job.id] = task
        asyncio.get_running_loop().call_soon(self._set_timer, job.id, attempt)
        try:
            ending = await attempt.run()
        finally:
            self._running.pop(job.id, None)
            self.view.aborting_tasks.discard(claim.key)
            self.view.progress.forget(claim.id)
        self._endings.note(job.id, ending)
        self._worker.count(ending)
        if self.view.after_job_end is not None:
            await attempt.hook(self.view.after_job_end, "after_job_end")
        return ending.kind

    def _set_timer(self, job_id: JobId, attempt: Attempt) -> None:
        # Behind its first step: a task that never waits needs no timer.
        if task := self._running.get(job_id):
            attempt.set_timer(task)

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
        queue_names = [queue_name(queue) for queue in self._worker.queues]
        await self.connection.journal.announce_queues(queue_names)
        await self.connection.journal.announce_tasks(self._worker.tasks_to_announce())
        driver = AsyncpgPoolDriver(await self._pool.open())
        manager_id = uuid.uuid4()
        self._endings = endings = pgqueuer_queries(driver, EndingQueries)
        endings.belongs_to(manager_id, self.view.id)
        self._manager = manager = PausableQueueManager(endings, channel=names().channel)
        manager.queue_manager_id = manager_id  # type: ignore[assignment]
        manager.slots = self._worker.max_jobs
        manager.run_job = self.run_job
        for queue in queue_names:
            limit = self._worker.limits.get(queue_key(queue), 0)
            manager.entrypoint(queue, concurrency_limit=limit, on_failure="hold")(_nothing)
        self._worker_id = f"{self.view.id}:{str(manager_id)[:4]}"
        await self._beat(manager, queue_names)
        beating = asyncio.create_task(self._keep_beating(manager, queue_names))
        batch = max(1, self._worker.max_jobs // 2)
        mode = QueueExecutionMode.drain if self._worker.burst else QueueExecutionMode.continuous
        if self._stopping.is_set():
            self._shut(manager)
        try:
            with self._logbook.attached():
                await manager.run(
                    dequeue_timeout=timedelta(seconds=POLL_S), batch_size=batch, mode=mode,
                    heartbeat_timeout=NEVER, log_aggregation_interval=timedelta(0),
                )  # fmt: skip
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            await self._logbook.close_book()
        if self._worker.burst:
            self._stopping.set()
        await self._pool.rows("leave", self._worker_id)
        await self.connection.journal.rescue()  # what could not be written goes back

    @staticmethod
    def _shut(manager: PausableQueueManager) -> None:
        manager.shutdown.set()
        manager.wake()

    async def _keep_beating(self, manager: PausableQueueManager, queue_names: Sequence[str]) -> None:
        beats = 0
        while True:
            await asyncio.sleep(BEAT_S)
            beats += 1
            try:
                await self._beat(manager, queue_names)
                await self.connection.journal.rescue()
                if beats % PRUNE_EVERY_BEATS == 0:
                    settings = self._worker.settings
                    bounds = (settings.keep_succeeded, settings.keep_failed, settings.keep_events)
                    await self._pool.rows("prune", *bounds)
            except ArqlightError as error:
                logger.warning("heartbeat of %s not sent: %s", self.view.id, error)

    async def _beat(self, manager: PausableQueueManager, queue_names: Sequence[str]) -> None:
        from arqlight.version import __version__

        about = {
            "host": socket.gethostname(), "pid": os.getpid(), "version": __version__, "queues": list(queue_names),
            "tasks": sorted(self._worker.functions), "max_jobs": self._worker.max_jobs, "memory_bytes": memory_bytes(),
        }  # fmt: skip
        await self._pool.rows("beat", self._worker_id, manager.queue_manager_id, about, LEASE_MS / 1000)
        manager.paused = frozenset(row["queue"] for row in await self._pool.rows("paused"))


async def _nothing(job: Job) -> None:
    """PgQueuer wants a function for each entrypoint; ours are found by the task's name."""


def _claim(job: Job, lost: str) -> Claim:
    headers: dict[str, Any] = job.headers or {}
    due_ms = to_ms(job.execute_after)
    expires = timedelta(milliseconds=float(headers["expires_ms"])) if "expires_ms" in headers else None
    is_expired = expires is not None and job.updated - job.execute_after > expires and not job.attempts
    payload = None if is_expired else job.payload
    name, queue = headers.get("id", str(job.id)), queue_key(job.entrypoint)
    return Claim(name, queue, payload, job.attempts + 1, "", due_ms, False, lost)
