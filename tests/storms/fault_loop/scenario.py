"""What the fault loop does again and again: jobs of every kind on a worker behind the proxy, its stop, and a second one."""

import asyncio
from collections import Counter

from arq.connections import ArqRedis, RedisSettings

from arqlight.errors import JobNotCancellable
from arqlight.journal.journal import Journal, NewJob
from arqlight.journal.scripting import Scripts
from arqlight.settings import Settings
from arqlight.worker.worker import Worker
from tests.storms.fault_loop.awaits import FaultyTasks, followed
from tests.storms.fault_loop.faulty_proxy import FaultyProxy, Position
from tests.storms.fault_loop.jobs import BOUND_S, HIGH, JOBS, QUEUE, Jobs, stop


class Scenario:
    """One run. `closed` says whether the workers stopped in time; `worked_or_stopped` what the first did until then."""

    def __init__(self, redis: ArqRedis, port: int, settings: Settings, tasks: FaultyTasks | None = None) -> None:
        self.redis = redis
        self.settings = settings
        self.journal = Journal(redis, settings)
        self.tasks = tasks
        self.jobs = Jobs()
        self.closed = True
        self.sent: Counter[str] = Counter()
        self._port = port
        self._verbs = {
            script.sha.encode(): verb for verb, script in Scripts(redis, settings)._scripts.items()
        }  # fmt: skip
        self.was_done = False
        self.worked_or_stopped = False
        self._has_done_all = False

    async def run(self, at: Position | None, fault: str, late_s: float) -> None:
        """Raises TimeoutError when jobs do not come to an end."""
        await self.redis.flushall()
        await self._leave_a_dead_worker()
        async with FaultyProxy(self._port, self._name_of, at, fault, late_s) as proxy:
            await self._run_first(proxy)
        self.jobs.may_end.set()
        second = self._worker(self._port)
        running = asyncio.create_task(second.async_run())
        try:
            async with asyncio.timeout(BOUND_S):
                while not await self._is_quiet():
                    if running.done():
                        running.result()
                        raise RuntimeError("the second worker ended by itself")
                    await asyncio.sleep(0.05)
        finally:
            self.closed &= await stop(second, running)

    async def _run_first(self, proxy: FaultyProxy) -> None:
        first = self._worker(proxy.port)
        with followed(self.tasks):
            running = asyncio.create_task(first.async_run())
        try:
            async with asyncio.timeout(BOUND_S):
                await self._first_part()
                await self._wait_for_a_while(running, proxy)
            self.worked_or_stopped = self._has_done_all or running.done()
        finally:
            with followed(self.tasks):
                # Who is cut off permanently waits for the server with what it has to write, until it is killed.
                self.closed &= await stop(first, running) or proxy.fault == "cut off permanently"
            self.was_done = proxy.is_done.is_set()
            self.sent = proxy.sent

    def _name_of(self, parts: list[bytes]) -> str:
        if parts[0].upper() == b"EVALSHA":
            return self._verbs.get(parts[1], "a script")
        return parts[0].decode().upper()

    def _worker(self, port: int) -> Worker:
        return Worker(
            self.jobs.functions(), redis_settings=RedisSettings(port=port, conn_retries=50,
            conn_retry_delay=1), handle_signals=False, settings=self.settings, allow_abort_jobs=True, max_jobs=4,
            queues=[HIGH, QUEUE], max_tries=8,
        )  # fmt: skip

    async def _leave_a_dead_worker(self) -> None:
        await self.journal.enqueue([NewJob("ok", QUEUE, id="left")])
        await self.journal.claim("dead", [QUEUE], 1, 60_000, False)
        await self.redis.zadd("arqlight:workers", {"dead": 1})

    async def _first_part(self) -> None:
        first = [NewJob(JOBS[each], HIGH if each == "ok-3" else QUEUE, id=each) for each in JOBS if each != "left"]
        await self.journal.enqueue(first[:4])
        for job in first[4:]:
            await self.redis.enqueue_job(job.task, _job_id=job.id, _queue_name=job.queue)

    async def _wait_for_a_while(self, running: asyncio.Task[None], proxy: FaultyProxy) -> None:
        """Until the first worker has done what it can, or is cut off."""
        loop = asyncio.get_running_loop()
        until = loop.time() + 12
        asked = False
        while loop.time() < until and not running.done():
            ended = [await self.redis.zcard(f"arqlight:{state}") for state in ("succeeded", "failed", "cancelled")]
            if not asked and self.jobs.ran["off"]:
                asked = True
                try:
                    await self.journal.cancel("off", QUEUE, "waits")
                except JobNotCancellable:
                    asked = False
            self._has_done_all = sum(ended) >= len(JOBS) - 1 and bool(self.jobs.ran["long"])
            if self._has_done_all:
                return
            if proxy.is_done.is_set() and proxy.fault == "cut off permanently":
                return
            await asyncio.sleep(0.02)

    async def _is_quiet(self) -> bool:
        waiting = await self.redis.zcard(QUEUE) + await self.redis.zcard(HIGH)
        return bool(waiting == 0)
