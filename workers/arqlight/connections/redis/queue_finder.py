"""Finds queues that plain arq clients put jobs into."""

import asyncio
import logging

from redis.asyncio import Redis

from arqlight.connections.connection_errors import SERVER_ERRORS
from arqlight.jobs.names import read_name
from arqlight.jobs.queues import DEFAULT_QUEUE, is_queue_key
from arqlight.journal.journal import Journal
from arqlight.journal.pubsub import allow_notifications, growing_sets, hear

logger = logging.getLogger("arqlight.upkeep")
PAUSE_S = 2.5
MOST_WAITING = 1000


class QueueFinder:
    """Makes queues known: those there at the start, then each as it grows."""

    def __init__(self, redis: Redis, journal: Journal) -> None:
        self._redis = redis
        self._journal = journal
        self._known: set[str] = set()
        self._fresh: asyncio.Queue[str] = asyncio.Queue(maxsize=MOST_WAITING)

    async def run(self) -> None:
        """Until cancelled; a server that is away is waited for."""
        async with asyncio.TaskGroup() as group:
            group.create_task(hear(self._redis, growing_sets(self._redis), self._grown))
            group.create_task(self._scan())
            while True:
                key = await self._fresh.get()
                try:
                    await self._journal.announce_queues([key])
                except SERVER_ERRORS as error:
                    logger.warning("queue %s not noted yet: %s", key, error)
                    self._known.discard(key)

    def _grown(self, data: bytes) -> None:
        key = read_name(data)
        if key not in self._known and is_queue_key(key) and not self._fresh.full():
            self._known.add(key)
            self._fresh.put_nowait(key)

    async def _scan(self) -> None:
        while True:
            try:
                await allow_notifications(self._redis)
                self._grown(DEFAULT_QUEUE.encode())
                async for key in self._redis.scan_iter(match=f"{DEFAULT_QUEUE}*", count=1000, _type="zset"):
                    self._grown(key)
                return
            except SERVER_ERRORS as error:
                logger.warning("the server's queues could not be read yet: %s", error)
                await asyncio.sleep(PAUSE_S)
