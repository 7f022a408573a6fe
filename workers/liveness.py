"""Heartbeats, from a thread, so that a task that blocks the event loop does not cost its worker the lease."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from workers.scripting import Scripts
from workers.settings import Settings

logger = logging.getLogger("arqlight.liveness")
LEASE_MS = 10_000
BEAT_S = 2.5


class Heartbeat:
    """Renews a worker's lease every `BEAT_S` seconds on a connection and an event loop of its own."""

    def __init__(
        self, worker: str, record: dict[str, str], connect: Callable[[], Awaitable[Redis]], settings: Settings
    ) -> None:
        self._worker = worker
        self._fields = [part for pair in record.items() for part in pair]
        self._connect = connect
        self._settings = settings
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
        while not self._stopping.is_set():
            try:
                redis = redis or await self._connect()
                scripts = scripts or Scripts(redis, self._settings)
                await scripts.run("heartbeat", self._worker, LEASE_MS, *self._fields)
            except (RedisError, OSError) as error:
                logger.warning("heartbeat of %s not sent: %s", self._worker, error)
            await asyncio.to_thread(self._stopping.wait, BEAT_S)
        if redis:
            await redis.aclose()
