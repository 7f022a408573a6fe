"""A worker's heartbeat, from a thread of its own: a task that blocks the event loop does not cost the lease.

The lease is the worker's, not the job's: one renewal covers all that it runs, whether that is 10 jobs or 10,000.
When it runs out, any other worker returns its jobs (`journal.rescue`).
"""

import asyncio
import logging
import os
import resource
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from arqlight.journal.dedicated_connection import DedicatedConnection
from arqlight.journal.scripting import Scripts
from arqlight.settings import Settings
from arqlight.worker.stager import Offer, Stager

logger = logging.getLogger("arqlight.heartbeat")
LEASE_MS = 10_000
BEAT_S = 2.5


def memory_bytes() -> int:
    """The memory this process holds: resident now where the system tells (Linux), else its peak so far."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Heartbeat:
    """Renews a worker's lease every `BEAT_S` seconds on a connection and an event loop of its own.

    When the beat wins the post of the stager, the thread stages jobs as well; `offer` and `poll_s` are for it.
    """

    def __init__(
        self,
        worker: str,
        record: Callable[[], dict[str, str]],
        connect: Callable[[], Awaitable[Redis]],
        settings: Settings,
        offer: Offer,
        poll_s: float | None,
    ) -> None:
        self._worker = worker
        self._record = record
        self._connect = connect
        self._settings = settings
        self._offer = offer
        self._poll_s = poll_s
        self._staging: asyncio.Task[None] | None = None
        self.stager: Stager | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="arqlight-heartbeat", daemon=True)

    def start(self) -> None:
        """Begin; the first beat is sent by the thread."""
        self._thread.start()

    async def stop(self) -> None:
        """Return when the last beat is over, so that none comes after the worker has left."""
        self._stopping.set()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        asyncio.run(self._beat())

    async def _beat(self) -> None:
        redis: Redis | None = None
        scripts: Scripts | None = None
        line: DedicatedConnection | None = None
        while not self._stopping.is_set():
            try:
                redis = redis or await self._connect()
                line = line or DedicatedConnection(redis)
                scripts = scripts or Scripts(redis, self._settings, line)
                fields = [part for pair in self._record().items() for part in pair]
                is_stager = await scripts.run("heartbeat", self._worker, LEASE_MS, *fields)
                await self._keep_staging(redis, scripts, is_stager == 1)
            except (RedisError, OSError) as error:
                logger.warning("heartbeat of %s not sent: %s", self._worker, error)
            await asyncio.to_thread(self._stopping.wait, BEAT_S)
        if redis and scripts and line:
            await self._keep_staging(redis, scripts, False)
            await line.close()
            await redis.aclose()

    async def _keep_staging(self, redis: Redis, scripts: Scripts, is_stager: bool) -> None:
        if self._staging and (self._staging.done() or not is_stager):
            self._staging.cancel()
            [ended] = await asyncio.gather(self._staging, return_exceptions=True)
            if isinstance(ended, Exception):
                logger.error("the stager stopped", exc_info=ended)
            self._staging = self.stager = None
        if is_stager and self._staging is None:
            self.stager = Stager(redis, scripts, self._offer, self._poll_s)
            self._staging = asyncio.create_task(self.stager.keep_staging())
