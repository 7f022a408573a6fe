"""The worker: claim, run, finish. A subclass of arq's, so an application's `WorkerSettings` runs unchanged."""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import signal
import socket
from collections.abc import Sequence
from functools import partial
from typing import Any

import arq
from arq.connections import ArqRedis, RedisSettings, create_pool, log_redis_info
from arq.utils import timestamp_ms
from arq.worker import get_kwargs
from redis.exceptions import RedisError

from workers.attempt import Attempt
from workers.commits import SERVER_AWAY, Commits
from workers.doorbell import Doorbell, allow_notifications
from workers.errors import ServerUnreachable
from workers.journal import Claim, Ending, Journal
from workers.keys import KEYS, queue_key
from workers.liveness import BEAT_S, Heartbeat
from workers.settings import Settings
from workers.task import Task

logger = logging.getLogger("arqlight.worker")
VERSION = "0.1.0"
# Pub/sub may lose a message when a connection breaks: the queues are looked at now and then all the same.
SAFETY_POLL_S = 5.0
CRON_STEP_S = 0.5  # arq's own window for cron jobs


class Worker(arq.Worker):
    """Runs arq tasks from one or several queues, and writes every step into the journal.

    :param settings: ours; the parameters that are arq's own mean what arq says.
    :param queues: keys of the queues to take from, first ones first; arq's single `queue_name` by default.
    """

    def __init__(self, *args: Any, settings: Settings, queues: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.settings = settings
        self.queues = list(queues) or [self.queue_name]
        self.id = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"
        self.lease_ms = int(max(self.in_progress_timeout_s, 60) * 1000)
        self._wake = asyncio.Event()
        self._may_have_more = True
        self._polls = False
        self._companions: list[asyncio.Task[None]] = []
        self._heartbeat: Heartbeat | None = None

    async def main(self) -> None:
        """Start up, then claim and run until stopped (or, in a burst, until the queues are empty)."""
        await self._start()
        while True:
            wait_s = await self._round()
            if self.burst and await self._is_drained():
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()

    async def _start(self) -> None:
        if self._pool is None:
            self._pool = await self._connect()
        self.journal = Journal(self.pool, self.settings)
        self.commits = Commits(self.journal, self.id)
        logger.info("starting worker %s for %d tasks: %s", self.id, len(self.functions), ", ".join(self.functions))
        await log_redis_info(self.pool, logger.info)
        self.ctx["redis"] = self.pool
        if self.on_startup:
            await self.on_startup(self.ctx)
        await self.journal.announce_queues(self.queues)
        await self.journal.announce_tasks(self._tasks_to_announce())
        self._polls = not await allow_notifications(self.pool)
        doorbell = Doorbell(self.pool, self._ring)
        self._companions = [asyncio.create_task(doorbell.listen()), asyncio.create_task(self._rescue_others())]
        self._heartbeat = Heartbeat(self.id, self._record(), self._connect_beside, self.settings)
        self._heartbeat.start()

    async def _round(self) -> float:
        """Claim what fits, start it, see to aborts and cron; how many seconds to wait before the next round at most."""
        self._wake.clear()
        wait_s = self.poll_delay_s if self._polls else SAFETY_POLL_S
        try:
            next_due_ms = await self._claim()
            if next_due_ms is not None:
                wait_s = min(wait_s, next_due_ms / 1000)
            if self.allow_abort_jobs:
                await self._cancel_aborted_jobs()
            await self.heart_beat()
        except SERVER_AWAY as error:
            logger.warning("the server does not answer, trying again: %s", error)
            self._wake.clear()
            self._may_have_more = True
            return 1.0
        if self.cron_jobs:
            wait_s = min(wait_s, CRON_STEP_S)
        return wait_s

    async def _claim(self) -> int | None:
        slots = self.max_jobs - len(self.tasks)
        if self.burst and self.max_burst_jobs >= 0:
            slots = min(slots, self.max_burst_jobs - self._jobs_started())
        if not self.allow_pick_jobs or slots <= 0:
            self._may_have_more = True
            return None
        asked = min(slots, self.queue_read_limit)
        claims, next_due_ms = await self.journal.claim(
            self.id, self.queues, asked, self.lease_ms, self.allow_abort_jobs
        )
        self._may_have_more = len(claims) == asked
        if self._may_have_more and asked < slots:
            self._wake.set()
        for claim in claims:
            task = self.loop.create_task(self._run(claim))
            self.tasks[claim.id] = self.job_tasks[claim.id] = task
            task.add_done_callback(partial(self._settle, claim))
        return next_due_ms

    async def _run(self, claim: Claim) -> None:
        attempt = Attempt(self, claim)
        ending = await attempt.run()
        self.job_tasks.pop(claim.id, None)
        # A shutdown must not cut a commit in two: the group is flushed, whatever cancels this task.
        await asyncio.shield(self.commits.submit(ending))
        await attempt.hook(self.after_job_end, "after_job_end")

    def _settle(self, claim: Claim, done: asyncio.Task[None]) -> None:
        self.tasks.pop(claim.id, None)
        self.job_tasks.pop(claim.id, None)
        if done.cancelled():
            # Cancelled before its first step: nothing ran, so it goes back uncounted. A later ending changes nothing.
            self.commits.submit(Ending(claim, "", claim.attempt, "rescheduled", counts=False))
        elif error := done.exception():
            logger.error("job %s could not be settled; it is run again when this worker ends", claim.id, exc_info=error)
        if self._may_have_more:
            self._wake.set()

    def _ring(self, key: str) -> None:
        if not key or key in self.queues or key == KEYS["abort"]:
            self._wake.set()

    async def _is_drained(self) -> bool:
        """Whether a burst is over: as in arq, when the queues are empty or the limit of jobs is reached."""
        limit_reached = 0 <= self.max_burst_jobs <= self._jobs_started()
        if not limit_reached:
            async with self.pool.pipeline(transaction=False) as pipe:
                for queue in self.queues:
                    pipe.zcard(queue)
                if any(await pipe.execute()):
                    self._may_have_more = True
                    return False
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        return True

    async def _rescue_others(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                rescued = await self.journal.rescue()
            except RedisError as error:
                logger.warning("dead workers could not be looked for: %s", error)
                continue
            if rescued:
                logger.warning("%d jobs of dead workers are back in their queues", rescued)

    async def close(self) -> None:
        """Stop: running jobs go back, what ended is committed, the lease is given up; then as arq does."""
        if self._pool is None:
            return
        if not self._handle_signals:
            self.handle_sig(signal.SIGUSR1)
        self.allow_pick_jobs = False
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        for companion in self._companions:
            companion.cancel()
        await asyncio.gather(*self._companions, return_exceptions=True)
        if self._heartbeat:
            await self.commits.drain()
            await self._heartbeat.stop()
            with contextlib.suppress(*SERVER_AWAY):  # then the lease runs out by itself
                await self.journal.leave(self.id)
        await super().close()

    async def _connect(self) -> ArqRedis:
        try:
            return await create_pool(
                self.redis_settings,
                job_deserializer=self.job_deserializer,
                job_serializer=self.job_serializer,
                default_queue_name=self.queue_name,
                expires_extra_ms=self.expires_extra_ms,
            )
        except (RedisError, OSError) as error:
            where = self.redis_settings
            place = f"{where.host}:{where.port}" if where else "the given pool"
            raise ServerUnreachable(f"no Redis or Valkey answers at {place}: {error}; is it running?") from error

    async def _connect_beside(self) -> ArqRedis:
        """A connection for another event loop than the worker's."""
        if self.redis_settings is not None:
            return await self._connect()
        pool = self.pool.connection_pool
        return ArqRedis(type(pool)(connection_class=pool.connection_class, **pool.connection_kwargs))

    def _record(self) -> dict[str, str]:
        return {
            "host": socket.gethostname(),
            "pid": str(os.getpid()),
            "version": VERSION,
            "queues": json.dumps(self.queues),
            "tasks": json.dumps(sorted(self.functions)),
            "max_jobs": str(self.max_jobs),
            "aborts": "1" if self.allow_abort_jobs else "0",
            "started_at": str(timestamp_ms()),
        }

    def _tasks_to_announce(self) -> dict[str, dict[str, Any]]:
        serializer = "pickle" if self.job_serializer is None else "custom"
        return {
            name: {"queue": f.queue if isinstance(f, Task) else self.queue_name, "serializer": serializer}
            for name, f in self.functions.items()
        }


def create_worker(settings_class: Any, settings: Settings, *, queues: Sequence[str] = (), **overrides: Any) -> Worker:
    """A worker from an arq `WorkerSettings` class or dict, read as arq reads it.

    `queues` are lane names; without them the class's own `queues`, else its `queue_name`. A Redis that was set
    explicitly (flag or environment) wins over the class's `redis_settings`; else the class's wins.
    """
    kwargs = get_kwargs(settings_class)
    own = settings_class if isinstance(settings_class, dict) else vars(settings_class)
    if "redis_pool" not in kwargs and (settings.redis_url is not None or "redis_settings" not in kwargs):
        kwargs["redis_settings"] = RedisSettings.from_dsn(settings.resolved_redis_url())  # type: ignore[assignment]
    lanes = [queue_key(name) for name in queues or own.get("queues", ())]
    return Worker(settings=settings, queues=lanes, **{**kwargs, **overrides})
