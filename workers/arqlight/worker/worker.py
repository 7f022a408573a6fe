"""The worker: claim, run, finish. A subclass of arq's, so an application's `WorkerSettings` runs unchanged."""

import asyncio
import builtins
import contextlib
import gc
import json
import logging
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import arq
from arq.connections import ArqRedis, create_pool, log_redis_info
from arq.utils import timestamp_ms
from redis.exceptions import RedisError

from arqlight.addresses import shown_redis
from arqlight.background import end, keep
from arqlight.connections.connection_errors import SERVER_AWAY, reason_of
from arqlight.connections.redis.log import RedisLog
from arqlight.connections.redis_client import connect_arq
from arqlight.errors import AnnouncementLost, ServerUnreachable, WorkerCancelled
from arqlight.jobs.masking import hide_what_is_set
from arqlight.jobs.overrides import Overrides
from arqlight.jobs.periodic_job import PeriodicJob
from arqlight.jobs.serialization import write_json
from arqlight.journal.deadline import CALL_S, SEVERAL_CALLS_S, deadline
from arqlight.journal.dedicated_connection import DedicatedConnection
from arqlight.journal.journal import Claim, Ending, Journal
from arqlight.journal.keys import KEYS
from arqlight.journal.overrides import read_overrides
from arqlight.journal.pubsub import allow_notifications, hear
from arqlight.journal.schedules import ensure_schedules
from arqlight.journal.scripting import Scripts
from arqlight.runtime.job_log import Logbook, job_log
from arqlight.runtime.progress import Progress
from arqlight.runtime.schedules import fire_due
from arqlight.settings import Settings, load_settings
from arqlight.tasks import Task
from arqlight.worker.about import about, about_cron
from arqlight.worker.ack_buffer import AckBuffer
from arqlight.worker.attempts import Attempts
from arqlight.worker.heartbeat import BEAT_S, Heartbeat
from arqlight.worker.queue_order import QueueOrder
from arqlight.worker.refused_ending import failed_instead
from arqlight.worker.wakeup import Wakeup

if TYPE_CHECKING:
    from arqlight.connections.database import DatabaseConnection
    from arqlight.worker.database_runner import Runner

logger = logging.getLogger("arqlight.worker")
GC_THRESHOLDS = (50_000, 20, 50)
# A token is lost with the worker that took it: the queues are looked at now and then all the same.
SAFETY_POLL_S = 2.5
# arq's in-progress key is for who asks from outside: a job that is over before anybody can ask does without.
BUSY_AFTER_S = 0.02
CRON_STEP_S = 0.5  # arq's own window for cron jobs


class Worker(arq.Worker):
    """Runs arq tasks from one or several queues, and writes every step into the journal.

    :param settings: ours; as the environment has them by default. The parameters that are arq's own mean what arq says;
        without `redis_settings` or `redis_pool`, the server is ARQLIGHT_REDIS_URL's, where that is set.
    :param redis_url: the address of the server, instead of `redis_settings`.
    :param queues: keys of the queues to take from, first ones first; arq's single `queue_name` by default.
    :param schedules: periodic jobs that are noted at the start, where they are not yet; people may change them then.
    :param limits: how many jobs of a queue (by key) may run at once, over all workers that serve it.
    :param keeps_to_own_tasks: never take a job whose task is not among `functions`; otherwise such a job fails, as in
        arq, where no living worker of its queue has the task.
    :param databases: connections to PostgreSQL whose jobs of the same queues run here too, in as many slots again.
    """

    def __init__(
        self,
        *args: Any,
        settings: Settings | None = None,
        redis_url: str | None = None,
        queues: Sequence[str] | QueueOrder = (),
        limits: Mapping[str, int] | None = None,
        schedules: Sequence[PeriodicJob] = (),
        keeps_to_own_tasks: bool = False,
        databases: Sequence["DatabaseConnection"] = (),
        **kwargs: Any,
    ) -> None:
        settings = load_settings() if settings is None else settings
        if kwargs.get("redis_pool") is None and kwargs.get("redis_settings") is None and settings.redis_url is not None:
            redis_url = redis_url or settings.redis_url
        super().__init__(*args, **kwargs)
        self.redis_url = redis_url
        self.settings = settings
        self.queue_order = queues if isinstance(queues, QueueOrder) else QueueOrder(tuple(queues) or (self.queue_name,))
        self.queues = list(self.queue_order.keys)
        self.limits = dict(limits or {})
        self.schedules = schedules
        self.keeps_to_own = keeps_to_own_tasks
        self.databases = databases
        self._runners: list[Runner] = []
        self.id = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"
        self.is_stopping = False
        self._is_cut_short = False
        self.result_ttls_ms: dict[str, int] = {}
        self.overrides = Overrides()
        hide_what_is_set(settings)
        self._started_ms = timestamp_ms()
        self.hold_ms = int(max(self.in_progress_timeout_s, 60) * 1000)
        self._wake = asyncio.Event()
        self._may_have_more = True
        self._abort_requested = True
        self._lost_an_answer = False
        self._asking = 0  # for how many jobs a claim is on its way
        self._looked: Callable[[], None] | None = None
        self._errands: set[asyncio.Task[None]] = set()
        self._lines: list[DedicatedConnection] = []
        self._companions: list[asyncio.Task[None]] = []
        self._heartbeat: Heartbeat | None = None
        self._telling = contextlib.AsyncExitStack()

    def run(self) -> None:
        """Run in a process that is this worker's own, until it is stopped."""
        # Each job makes some dozens of objects that are soon gone. At Python's defaults they are looked through so
        # often, with all that was loaded, that it doubles what a job of a database costs.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        super().run()
        if self._is_cut_short:
            raise WorkerCancelled("something cancelled the worker itself, which nobody had asked to stop: so does a "
                                  "task that cancels all of `asyncio.all_tasks()`; its jobs go back")  # fmt: skip

    async def main(self) -> None:
        """Start up, then claim and run until stopped (or, in a burst, until the queues are empty)."""
        try:
            await self._keep_working()
        except asyncio.CancelledError:
            self._is_cut_short = not self.is_stopping
            raise

    async def _keep_working(self) -> None:
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
        # Two lines, so that a claim does not wait behind a commit, nor a commit behind a claim.
        self._lines = [DedicatedConnection(self.pool), DedicatedConnection(self.pool), DedicatedConnection(self.pool)]
        self.journal = Journal(self.pool, self.settings, self._lines[0])
        self.ack_buffer = AckBuffer(
            Journal(self.pool, self.settings, self._lines[1]), self.id, self._failed_instead, self._wake.set
        )
        self.attempts = Attempts(self, self.ack_buffer, self.count, self._freed, self.tasks)
        logger.info("Starting worker for %d functions: %s", len(self.functions), ", ".join(self.functions))
        async with self._in_time(SEVERAL_CALLS_S):
            await log_redis_info(self.pool, logger.info)
        telling = Scripts(self.pool, self.settings, self._lines[2])
        self.progress = Progress(telling)
        self._telling.push_async_callback(self.progress.close)
        self.ctx["redis"] = self.pool
        # What the application has there under these names is its own; what an earlier worker put there is over.
        ours = {"progress": self.progress, "log": job_log()}
        self.ctx |= {name: each for name, each in ours.items() if isinstance(self.ctx.get(name, each), type(each))}
        if self.on_startup:
            await self.on_startup(self.ctx)
        # Behind the application, which may set up its logging first: it does so only where the root has no handler.
        self.logbook = self._telling.enter_context(Logbook(RedisLog(self.pool, telling), self.id).attached())
        self._telling.push_async_callback(self.logbook.close_book)
        logger.info("worker %s has started", self.id)
        async with self._in_time(SEVERAL_CALLS_S):
            await self.announce(self.journal)
            await self._follow_overrides()
            await ensure_schedules(self.pool, self.schedules)
            notified = await allow_notifications(self.pool)
        self._wakeup = Wakeup(self.pool, self.queues, self._woken)
        companions: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "listener for wake-ups": self._wakeup.listen,
            "listener for aborts": partial(hear, self.pool, KEYS["summons"] + self.id, self._hear_summons),
            "listener for overrides": partial(hear, self.pool, KEYS["overridden"], self._overridden),
            "look around": self._look_around,
        }
        self._companions = [keep(what, work) for what, work in companions.items()]
        self._heartbeat = Heartbeat(self, None if notified else self.poll_delay_s)
        self._heartbeat.start()
        if self.databases:
            from arqlight.worker.database_runner import Runner  # not loaded where there is no database

            self._runners = [Runner(self, database) for database in self.databases]
            for runner in self._runners:
                runner.start()

    async def _round(self) -> float:
        """Claim what fits, start it, see to aborts and cron; how many seconds to wait before the next round at most."""
        self._wake.clear()
        # Taken before the claim is sent: one that was sent before the offer has not looked for it.
        looked, self._looked = self._looked, None
        try:
            async with deadline(SEVERAL_CALLS_S):
                if self._lost_an_answer:
                    await self._give_back()
                await self._claim()
                if looked:
                    looked()
                if self.allow_abort_jobs and self._abort_requested:
                    await self._abort_jobs()
                await self.heart_beat()
        except (*SERVER_AWAY, builtins.TimeoutError) as error:
            logger.warning("the server does not answer, trying again: %s", reason_of(error))
            self._wake.clear()
            self._may_have_more = True
            return 1.0
        # arq's health key lives a second longer than its interval.
        return min(CRON_STEP_S if self.cron_jobs else SAFETY_POLL_S, max(self.health_check_interval, CRON_STEP_S))

    async def _claim(self) -> None:
        slots = self._free_slots()
        if slots <= 0:
            self._may_have_more = True
            return
        # Half of the slots at a time: the server works on one half while the tasks of the other run.
        asked = min(slots, self.queue_read_limit, (self.max_jobs + 1) // 2)
        queues, shares = self.queue_order.turns(asked)
        self._lost_an_answer, self._asking = True, asked
        try:
            claims, self._may_have_more = await self.journal.claim(
                self.id, queues, asked, self.hold_ms, self.allow_abort_jobs, shares, self.keeps_to_own
            )
        except AnnouncementLost:
            self._lost_an_answer = False
            await self.announce(self.journal)
            self._wake.set()
            return
        finally:
            self._asking = 0
        self._lost_an_answer = False
        if claims:
            self.attempts.start(claims)
            self.loop.call_later(BUSY_AFTER_S, self._mark_busy, claims)
        if self._free_slots() > 0:
            if self._may_have_more:
                self._wake.set()
            else:
                self._wakeup.want()

    async def _give_back(self) -> None:
        """After a claim whose answer never came: the server may have given jobs that nobody here knows of."""
        running = (attempt.claim for attempt in self.attempts.running.values())
        returned = await self.journal.give_back(self.id, (*running, *self.ack_buffer.unwritten()))
        self._lost_an_answer = False
        if returned:
            logger.warning("%d jobs went back: the answer to their claim was lost", returned)

    async def _follow_overrides(self) -> None:
        """Run by what is set on the page now; limits of queues are of all workers, so each writes the same."""
        overrides = await read_overrides(self.pool)
        chosen = {queue: overrides.get("queue", queue).concurrency for queue in self.queues}
        # Each time, for what was declared by a worker that is gone is to go with it.
        await self.journal.limit_queues({queue: (limit, self.limits.get(queue)) for queue, limit in chosen.items()})
        if overrides == self.overrides:
            return
        self.overrides = overrides
        for runner in self._runners:
            runner.wake()
        self._wake.set()

    async def announce(self, journal: Journal) -> None:
        """Make known what this worker takes from and what it can run."""
        await journal.announce(self.id, self.queues, self.tasks_to_announce(), self.record())

    def _overridden(self, name: bytes) -> None:
        self._send_off(self._follow_overrides())

    def _free_slots(self) -> int:
        if not self.allow_pick_jobs or self.ack_buffer.is_behind:
            return 0
        slots = self.max_jobs - len(self.tasks)
        if self.burst and self.max_burst_jobs >= 0:
            slots = min(slots, self.max_burst_jobs - self.jobs_begun(and_asked_for=True))
        return slots

    def jobs_begun(self, *, and_asked_for: bool) -> int:
        """How many jobs this worker began, on all its connections; with those that claims on their way may bring."""
        begun = self._jobs_started() + sum(len(runner.attempts.running) for runner in self._runners)
        return begun + self._asking + sum(runner.round.asking for runner in self._runners) if and_asked_for else begun

    def _mark_busy(self, claims: list[Claim]) -> None:
        if running := self.attempts.unended(claims):
            # Where it does not arrive, arq's clients are told that the job is deferred.
            self._send_off(self.journal.renew(self.id, running, self.hold_ms))

    def _send_off(self, errand: Coroutine[Any, Any, None]) -> None:
        """Do something that nobody waits for, and that may be lost when the server is away."""

        async def run() -> None:
            with contextlib.suppress(*SERVER_AWAY, builtins.TimeoutError):
                async with deadline(CALL_S):
                    await errand

        task = self.loop.create_task(run())
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def _abort_jobs(self) -> None:
        self._abort_requested = False
        recalled = set(await self.journal.recalled(self.id))
        self.attempts.call_off(lambda claim: (claim.id, claim.token) in recalled)

    def count(self, ending: Ending) -> None:
        """Count a job that is over, once."""
        if ending.kind == "succeeded":
            self.jobs_complete += 1
        elif ending.kind == "rescheduled":
            self.jobs_retried += 1
        else:
            self.jobs_failed += 1

    def _failed_instead(self, ending: Ending, refusal: Exception) -> Ending:
        return failed_instead(ending, refusal, self.id, self.job_serializer)

    def _freed(self) -> None:
        if self._may_have_more:
            self._wake.set()
        elif self._free_slots() > 0:
            self._wakeup.want()  # a worker that was full has let pass the tokens of what came meanwhile

    def _woken(self, queue: str) -> None:
        if queue and self._free_slots() <= 0:
            # Filled by its own cron or poll meanwhile: the token is another worker's.
            self._send_off(self.journal.ring(queue))
        else:
            self._wake.set()

    def offer(self, looked: Callable[[], None]) -> bool:
        """Wake up for new work if there is nothing else to do, and call `looked` when the look is over.

        Whether it was so; called in the heartbeat's thread.
        """
        is_idle = not self.tasks and self._free_slots() > 0
        if is_idle:
            self._looked = looked
            self.loop.call_soon_threadsafe(self._wake.set)
        return is_idle

    def _hear_summons(self, job_id: bytes) -> None:
        """A job of this worker was called off, or (b"") one is there that this worker can run and another cannot."""
        self._abort_requested = True
        self._may_have_more = True
        self._wake.set()

    async def _is_drained(self) -> bool:
        """Whether a burst is over: as in arq, when the queues are empty or the limit of jobs is reached."""
        limit_reached = 0 <= self.max_burst_jobs <= self.jobs_begun(and_asked_for=False)
        if not limit_reached and (self._may_have_more or await self._has_waiting()):
            self._may_have_more = True
            return False
        await asyncio.gather(
            *self.tasks.values(), *(runner.drained() for runner in self._runners), return_exceptions=True
        )
        await self.ack_buffer.drain()
        return True

    async def _has_waiting(self) -> bool:
        """Whether jobs wait in a queue that is not paused, or nobody can say now."""
        try:
            async with deadline(CALL_S), self.pool.pipeline(transaction=False) as pipe:
                for queue in self.queues:
                    pipe.zcard(queue)
                    pipe.sismember(KEYS["paused"], queue)
                answers = await pipe.execute()
        except (*SERVER_AWAY, builtins.TimeoutError) as error:
            logger.warning("the server does not answer, trying again: %s", reason_of(error))
            return True
        return any(waiting and not paused for waiting, paused in zip(answers[::2], answers[1::2], strict=True))

    async def _look_around(self) -> None:
        """Now and then: periodic jobs, and jobs whose abort was requested while no message could come."""
        while True:
            await asyncio.sleep(BEAT_S)
            self._abort_requested = True
            try:
                async with deadline(SEVERAL_CALLS_S):
                    await self._follow_overrides()
                    await fire_due(self.pool, self.journal)
                    await self.journal.look_after_queues()
            except (*SERVER_AWAY, builtins.TimeoutError) as error:
                logger.warning("periodic jobs and settings could not be looked at: %s", reason_of(error))

    def handle_sig(self, signum: signal.Signals) -> None:
        """Stop now: what runs is cancelled, and goes back."""
        self.is_stopping = True
        super().handle_sig(signum)

    def handle_sig_wait_for_completion(self, signum: signal.Signals) -> None:
        """Stop when what runs is over, or when `job_completion_wait` is."""
        self.is_stopping = True
        super().handle_sig_wait_for_completion(signum)

    async def close(self) -> None:
        """Stop: running jobs go back, what ended is committed, the lease is given up; the rest is as in arq."""
        if self._pool is None:
            return
        if not self._handle_signals:
            self.handle_sig(signal.SIGUSR1)
        self.allow_pick_jobs = False
        grace_s = self._job_completion_wait
        if not self.is_stopping:  # as in arq, what runs when the worker breaks may end
            await self.attempts.wait()
        await asyncio.gather(
            self.attempts.end(), *(runner.stop(grace_s) for runner in self._runners), return_exceptions=True
        )
        await end(*self._companions)
        await asyncio.gather(*self._errands, return_exceptions=True)
        if self._heartbeat:
            await self.ack_buffer.drain()
            await self._heartbeat.stop()
            with contextlib.suppress(*SERVER_AWAY):  # then the lease runs out by itself
                await self.journal.leave(self.id)
        await self._telling.aclose()
        for line in self._lines:
            await line.close()
        for database in self.databases:
            await database.close()
        with contextlib.suppress(*SERVER_AWAY, builtins.TimeoutError):  # then the key runs out by itself
            async with deadline(CALL_S):
                await self.pool.delete(self.health_check_key)
        if self.on_shutdown:
            await self.on_shutdown(self.ctx)
        await self.pool.close(close_connection_pool=True)
        self._pool = None

    @contextlib.asynccontextmanager
    async def _in_time(self, seconds: float) -> AsyncIterator[None]:
        """Raise ServerUnreachable when the server does not answer the calls of the body."""
        try:
            async with deadline(seconds):
                yield
        except builtins.TimeoutError as error:
            raise ServerUnreachable(f"the server at {self._place} did not answer within {seconds:g} s") from error

    @property
    def _place(self) -> str:
        where = self.redis_settings
        if self.redis_url is not None:
            return shown_redis(self.redis_url)
        return f"{where.host}:{where.port}" if where else "the given pool"

    async def _connect(self) -> ArqRedis:
        kept: dict[str, Any] = {
            "job_deserializer": self.job_deserializer, "job_serializer": self.job_serializer,
            "default_queue_name": self.queue_name, "expires_extra_ms": self.expires_extra_ms,
        }  # fmt: skip
        try:
            if self.redis_url is not None:
                return await connect_arq(self.redis_url, **kept)
            return await create_pool(self.redis_settings, **kept)
        except (RedisError, OSError) as error:
            raise ServerUnreachable(f"no Redis or Valkey answers at {self._place}: {reason_of(error)}") from error

    async def connect_beside(self) -> ArqRedis:
        """A connection for another event loop than the worker's."""
        if self.redis_settings is not None:
            return await self._connect()
        pool = self.pool.connection_pool
        return ArqRedis(type(pool)(connection_class=pool.connection_class, **pool.connection_kwargs))

    def record(self) -> dict[str, str]:
        """What the worker says of itself."""
        told = {
            **about(self), "crons": [about_cron(cron) for cron in self.cron_jobs or ()],
            "aborts": int(self.allow_abort_jobs), "started_at": self._started_ms,
        }  # fmt: skip
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in told.items()}

    def long_running(self) -> list[Claim]:
        """What has run for a third of the time its claim holds since that was renewed."""
        now, renewed = timestamp_ms(), []
        for attempt in list(self.attempts.running.values()):
            if now - attempt.renewed_ms > self.hold_ms / 3:
                attempt.renewed_ms = now
                renewed.append(attempt.claim)
        return renewed

    def longest_timeout_s(self) -> float | None:
        """The longest timeout of all that runs now; None where something may run for ever."""
        places = [self.attempts, *(runner.attempts for runner in self._runners)]
        attempts = [attempt for place in places for attempt in list(place.running.values())]
        timeouts = [attempt.timeout_s for attempt in attempts if attempt.function is not None]
        bounded = [timeout_s for timeout_s in timeouts if timeout_s is not None]
        return max(bounded, default=0.0) if len(bounded) == len(timeouts) else None

    def tasks_to_announce(self) -> dict[str, dict[str, Any]]:
        """What those that enqueue by name have to know of each task."""
        serializer = "pickle" if self.job_serializer in (None, write_json) else "custom"
        return {
            name: {"queue": f.queue if isinstance(f, Task) else self.queue_name, "serializer": serializer}
            for name, f in self.functions.items()
        }
