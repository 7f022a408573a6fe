"""What the fault loop does again and again: jobs of every kind on a worker behind the proxy, its stop, and a second one."""

import asyncio
import signal
from collections import Counter
from typing import Any

from arq import Retry, func
from arq.connections import ArqRedis, RedisSettings

from arqlight.errors import JobNotCancellable
from arqlight.journal.journal import Journal, NewJob
from arqlight.journal.scripting import Scripts
from arqlight.settings import Settings
from arqlight.worker.worker import Worker
from tests.storms.fault_loop.faulty_proxy import FaultyProxy, Position

QUEUE, HIGH = "arq:queue", "arq:queue:high"
JOBS = {
    "ok-1": "ok", "ok-2": "ok", "ok-3": "ok", "told": "tells", "again": "asks_again", "bad": "fails", "off": "waits",
    "long": "waits", "left": "ok",
}  # fmt: skip
BOUND_S = 25.0


class Scenario:
    """One run. `ran` counts how often each job's task was called, `stuck` is what the first worker still had at its end."""

    def __init__(self, redis: ArqRedis, port: int, settings: Settings) -> None:
        self.redis = redis
        self.settings = settings
        self.journal = Journal(redis, settings)
        self.ran: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self._port = port
        self._may_end = asyncio.Event()
        self._verbs = {
            script.sha.encode(): verb for verb, script in Scripts(redis, settings)._scripts.items()
        }  # fmt: skip
        self.was_done = False

    async def run(self, at: Position | None, fault: str, late_s: float) -> None:
        """Raises TimeoutError when jobs do not come to an end."""
        await self.redis.flushall()
        await self._leave_a_dead_worker()
        async with FaultyProxy(self._port, self._name_of, at, fault, late_s) as proxy:
            first = self._worker(proxy.port)
            running = asyncio.create_task(first.async_run())
            try:
                async with asyncio.timeout(BOUND_S):
                    await self._first_part()
                    await self._wait_for_a_while(running, proxy)
            finally:
                self.was_done = proxy.is_done.is_set()
                await self._stop(first, running)
                self.sent = proxy.sent
        self._may_end.set()
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
            await self._stop(second, running)

    def _name_of(self, parts: list[bytes]) -> str:
        if parts[0].upper() == b"EVALSHA":
            return self._verbs.get(parts[1], "a script")
        return parts[0].decode().upper()

    def _worker(self, port: int) -> Worker:
        tasks = (self.ok, self.tells, self.asks_again, self.fails, self.waits)
        return Worker(
            [func(each, name=each.__name__) for each in tasks], redis_settings=RedisSettings(port=port, conn_retries=50,
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
            if not asked and self.ran["off"]:
                asked = True
                try:
                    await self.journal.cancel("off", QUEUE, "waits")
                except JobNotCancellable:
                    asked = False
            if sum(ended) >= len(JOBS) - 1 and self.ran["long"]:
                return
            if proxy.is_done.is_set() and proxy._fault == "cut off for good":
                return
            await asyncio.sleep(0.02)

    async def _stop(self, worker: Worker, running: asyncio.Task[None]) -> None:
        worker.handle_sig(signal.SIGUSR1)
        closing = asyncio.create_task(worker.close())
        done, _ = await asyncio.wait({closing}, timeout=BOUND_S)
        self.closed = bool(done)
        if not done:  # a process would be killed now
            closing.cancel()
            if worker._heartbeat:
                worker._heartbeat._stopping.set()
        running.cancel()
        ended = await asyncio.gather(running, closing, return_exceptions=True)
        self.died_of = [error for error in ended if isinstance(error, Exception)]

    async def _is_quiet(self) -> bool:
        waiting = await self.redis.zcard(QUEUE) + await self.redis.zcard(HIGH)
        return bool(waiting == 0)

    # The tasks

    async def ok(self, ctx: dict[str, Any]) -> str:
        self.ran[ctx["job_id"]] += 1
        return "done"

    async def tells(self, ctx: dict[str, Any]) -> None:
        self.ran[ctx["job_id"]] += 1
        for step in range(3):
            ctx["progress"](step, 3)
            ctx["log"]("step %d", step)
            await asyncio.sleep(0.01)

    async def asks_again(self, ctx: dict[str, Any]) -> None:
        self.ran[ctx["job_id"]] += 1
        if self.ran[ctx["job_id"]] == 1:
            raise Retry(defer=0.05)

    async def fails(self, ctx: dict[str, Any]) -> None:
        self.ran[ctx["job_id"]] += 1
        raise ValueError("as it should")

    async def waits(self, ctx: dict[str, Any]) -> None:
        self.ran[ctx["job_id"]] += 1
        await self._may_end.wait()
