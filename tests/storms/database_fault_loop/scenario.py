"""What the fault loop of PostgreSQL does again and again: jobs of every kind, a stop, and a second worker."""

import asyncio
import uuid
from collections import Counter

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
from tests.storms.fault_loop.awaits import FaultyTasks, followed
from tests.storms.fault_loop.faulty_proxy import Position
from tests.storms.fault_loop.jobs import BOUND_S, HIGH, JOBS, QUEUE, Jobs, stop

TABLES = "pgqueuer, pgqueuer_log, ended, workers, queues, tasks, paused, progress, lines, rescuers"


class Scenario:
    """One run. `closed` says whether the workers stopped in time; `worked_or_stopped` what the first did until then."""

    def __init__(
        self,
        redis: ArqRedis,
        postgres: str,
        settings: Settings,
        verbs: dict[str, str],
        tasks: FaultyTasks | None = None,
    ) -> None:
        self.redis = redis
        self.tasks = tasks
        self.worked_or_stopped = False
        self._has_done_all = False
        self.jobs = Jobs()
        self.sent: Counter[str] = Counter()
        self.was_done = False
        self.closed = True
        self._there = make_url(postgres)
        self._settings = settings
        self._verbs = verbs
        self.seen = DatabaseConnection("seen", postgres, with_database(settings, postgres))

    async def run(self, at: Position | None, fault: str, late_s: float) -> None:
        """Raises TimeoutError when jobs do not come to an end."""
        await self._begin()
        socket = f"{self._there.query['host']}/.s.PGSQL.5432"
        async with FaultyProxy(socket, self._verbs, at, fault, late_s) as proxy:
            await self._run_first(proxy)
        self.jobs.may_end.set()
        second = self._worker(self._there.render_as_string(hide_password=False))
        running = asyncio.create_task(second.async_run())
        try:
            async with asyncio.timeout(BOUND_S):
                while await self._ended() < len(JOBS):
                    await asyncio.sleep(0.05)
        finally:
            self.closed &= await stop(second, running)

    async def _run_first(self, proxy: FaultyProxy) -> None:
        there = self._there.set(query={"sslmode": "disable"}, host="127.0.0.1", port=proxy.port)
        first = self._worker(there.render_as_string(hide_password=False))
        with followed(self.tasks):
            running = asyncio.create_task(first.async_run())
        try:
            async with asyncio.timeout(BOUND_S):
                await self._first_part(running, proxy)
            self.worked_or_stopped = self._has_done_all or running.done()
        finally:
            with followed(self.tasks):
                self.closed &= await stop(first, running)
            self.was_done = proxy.is_done.is_set()
            self.sent = proxy.sent

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
        database = DatabaseConnection("db", url, with_database(self._settings, url))
        database.pool._is_prepared = True
        return Worker(
            self.jobs.functions(),
            redis_pool=None, redis_settings=None, handle_signals=False, settings=self._settings, max_jobs=4,
            queues=[HIGH, QUEUE], max_tries=8, databases=[database],
        )  # fmt: skip

    async def _first_part(self, running: asyncio.Task[None], proxy: FaultyProxy) -> None:
        """Until the first worker has done what it can, or is cut off."""
        loop = asyncio.get_running_loop()
        until, asked = loop.time() + 8, False
        while loop.time() < until and not running.done():
            if not asked and self.jobs.ran["off"]:
                try:
                    await self.seen.journal.cancel("off", QUEUE, "waits")
                    asked = True
                except JobNotCancellable:
                    pass
            self._has_done_all = await self._ended() >= len(JOBS) - 1 and bool(self.jobs.ran["long"])
            if self._has_done_all:
                return
            if proxy.is_done.is_set() and proxy.fault == "cut off permanently":
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
