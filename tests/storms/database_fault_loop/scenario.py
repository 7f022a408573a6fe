"""What the fault loop of PostgreSQL does again and again: jobs of every kind, a stop, and a second worker."""

import asyncio
import signal
import uuid
from collections import Counter
from typing import Any

from arq import Retry, func
from arq.connections import ArqRedis
from sqlalchemy.engine import make_url

from arqlight.connections.database import DatabaseConnection
from arqlight.connections.database.claims import Claims
from arqlight.errors import JobNotCancellable
from arqlight.journal.journal import NewJob
from arqlight.settings import Settings
from arqlight.worker.worker import Worker
from tests.conftest import with_database
from tests.storms.database_fault_loop.faulty_proxy import FaultyProxy
from tests.storms.fault_loop.faulty_proxy import Position
from tests.storms.fault_loop.scenario import HIGH, JOBS, QUEUE

BOUND_S = 25.0
TABLES = "pgqueuer, pgqueuer_log, ended, workers, queues, tasks, paused, progress, lines, rescuers"


class Scenario:
    """One run. `ran` counts how often each job's task was called."""

    def __init__(self, redis: ArqRedis, postgres: str, settings: Settings, verbs: dict[str, str]) -> None:
        self.redis = redis
        self.ran: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.was_done = False
        self.closed = True
        self._there = make_url(postgres)
        self._settings = settings
        self._verbs = verbs
        self._may_end = asyncio.Event()
        self.seen = DatabaseConnection("seen", postgres, with_database(settings, postgres))

    async def run(self, at: Position | None, fault: str, late_s: float) -> None:
        """Raises TimeoutError when jobs do not come to an end."""
        await self._begin()
        socket = f"{self._there.query['host']}/.s.PGSQL.5432"
        async with FaultyProxy(socket, self._verbs, at, fault, late_s) as proxy:
            there = self._there.set(query={"sslmode": "disable"}, host="127.0.0.1", port=proxy.port)
            first = self._worker(there.render_as_string(hide_password=False))
            running = asyncio.create_task(first.async_run())
            try:
                async with asyncio.timeout(BOUND_S):
                    await self._first_part(proxy)
            finally:
                self.was_done = proxy.is_done.is_set()
                await self._stop(first, running)
                self.sent = proxy.sent
        self._may_end.set()
        second = self._worker(self._there.render_as_string(hide_password=False))
        running = asyncio.create_task(second.async_run())
        try:
            async with asyncio.timeout(BOUND_S):
                while await self._ended() < len(JOBS):
                    await asyncio.sleep(0.05)
        finally:
            await self._stop(second, running)

    async def _begin(self) -> None:
        """Empty tables, and a dead worker that had a job."""
        await self.redis.flushall()
        tables = ", ".join(f"arqlight_jobs.{table}" for table in TABLES.split(", "))
        async with self.seen.pool.acquire() as connection:
            await connection.execute(f"TRUNCATE {tables} RESTART IDENTITY")
        await self.seen.journal.enqueue([NewJob("ok", QUEUE, id="left")])
        about = {"queues": ["default"], "tasks": ["ok"], "limits": {}, "host": "h", "pid": 1, "version": "0",
                 "max_jobs": 1, "memory_bytes": 1}  # fmt: skip
        dead = Claims(self.seen.pool, "dead", uuid.uuid4(), lambda: about, False)
        assert await dead.take(["default"], [1], 1, {}, False)
        async with self.seen.pool.acquire() as connection:
            await connection.execute("UPDATE arqlight_jobs.workers SET lease_until = now() - interval '1 s'")
        await self.seen.journal.enqueue(
            [NewJob(JOBS[each], HIGH if each == "ok-3" else QUEUE, id=each) for each in JOBS if each != "left"]
        )
        await self.seen.stream.say_watched(60)

    def _worker(self, url: str) -> Worker:
        tasks = {"ok": self.ok, "tells": self.tells, "asks_again": self.asks_again, "fails": self.fails}
        database = DatabaseConnection("db", url, with_database(self._settings, url))
        database.pool._is_prepared = True
        return Worker(
            [*(func(task, name=name) for name, task in tasks.items()), func(self.waits, name="waits")],
            redis_pool=None, redis_settings=None, handle_signals=False, settings=self._settings, max_jobs=4,
            queues=[HIGH, QUEUE], max_tries=8, databases=[database],
        )  # fmt: skip

    async def _first_part(self, proxy: FaultyProxy) -> None:
        """Until the first worker has done what it can, or is cut off."""
        loop = asyncio.get_running_loop()
        until, asked = loop.time() + 8, False
        while loop.time() < until:
            if not asked and self.ran["off"]:
                try:
                    await self.seen.journal.cancel("off", QUEUE, "waits")
                    asked = True
                except JobNotCancellable:
                    pass
            if await self._ended() >= len(JOBS) - 1 and self.ran["long"]:
                return
            if proxy.is_done.is_set() and proxy._fault == "cut off for good":
                return
            await asyncio.sleep(0.02)

    async def _ended(self) -> int:
        async with self.seen.pool.acquire() as connection:
            return int(
                await connection.fetchval(
                    "SELECT (SELECT count(*) FROM arqlight_jobs.ended) + "
                    "(SELECT count(*) FROM arqlight_jobs.pgqueuer WHERE status = 'failed')"
                )
            )

    async def _stop(self, worker: Worker, running: asyncio.Task[None]) -> None:
        worker.handle_sig(signal.SIGUSR1)
        closing = asyncio.create_task(worker.close())
        done, _ = await asyncio.wait({closing}, timeout=BOUND_S)
        self.closed = self.closed and bool(done)
        closing.cancel()
        running.cancel()
        await asyncio.gather(running, closing, return_exceptions=True)

    # The tasks

    async def ok(self, ctx: dict[str, Any]) -> str:
        self.ran[ctx["job_id"]] += 1
        return "done"

    async def tells(self, ctx: dict[str, Any]) -> None:
        self.ran[ctx["job_id"]] += 1
        for step in range(3):
            ctx["progress"](step, 3)
            ctx["log"]("step %d", step)
            await asyncio.sleep(0.05)

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
