"""Finds queues that plain arq clients put jobs into, whatever they are called."""

import asyncio
import logging

from redis.asyncio import Redis

from arqlight.connections.connection_errors import SERVER_ERRORS, reason_of
from arqlight.connections.redis.queue_search import may_be_queues, queues_among
from arqlight.jobs.names import read_name
from arqlight.jobs.queues import DEFAULT_QUEUE, is_queue_key
from arqlight.journal.journal import Journal
from arqlight.journal.pubsub import allow_notifications, growing_sets, hear

logger = logging.getLogger("arqlight.upkeep")
PAUSE_S = 2.5
MOST_WAITING = 1000
LOOK_AGAIN_S = 10.0
MOST_LOOKED_AT = 10_000


class QueueFinder:
    """Makes queues known: those there at the start, then each as it grows."""

    def __init__(self, redis: Redis, journal: Journal) -> None:
        self._redis = redis
        self._journal = journal
        self._known: set[str] = set()
        self._looked_at: set[str] = set()
        self._looked_s = 0.0
        self._fresh: asyncio.Queue[str] = asyncio.Queue(maxsize=MOST_WAITING)

    async def run(self) -> None:
        """Until cancelled; a server that is away is waited for."""
        async with asyncio.TaskGroup() as group:
            group.create_task(hear(self._redis, growing_sets(self._redis), self._grown))
            group.create_task(self._scan())
            while True:
                key = await self._fresh.get()
                try:
                    if is_queue_key(key) or await queues_among(self._redis, [key]):
                        await self._journal.announce_queues([key])
                        self._known.add(key)
                except SERVER_ERRORS as error:
                    logger.warning("queue %s not noted yet: %s", key, error)
                    self._looked_at.discard(key)

    def _grown(self, data: bytes) -> None:
        key = read_name(data)
        if key in self._known or self._fresh.full() or not may_be_queues([key]):
            return
        # Other applications' sorted sets grow too, and often: each is looked into now and then.
        now_s = asyncio.get_running_loop().time()
        if now_s - self._looked_s > LOOK_AGAIN_S or len(self._looked_at) > MOST_LOOKED_AT:
            self._looked_at.clear()
            self._looked_s = now_s
        if key not in self._looked_at:
            self._looked_at.add(key)
            self._fresh.put_nowait(key)

    async def _scan(self) -> None:
        while True:
            try:
                await allow_notifications(self._redis)
                self._grown(DEFAULT_QUEUE.encode())
                place: int | None = None
                while place != 0:
                    place, keys = await self._redis.scan(place or 0, count=1000, _type="zset")
                    among = await queues_among(self._redis, may_be_queues(map(read_name, keys)))
                    await self._journal.announce_queues(sorted(among))
                    self._known |= among
                return
            except SERVER_ERRORS as error:
                logger.warning("the server's queues could not be read yet: %s", reason_of(error))
                await asyncio.sleep(PAUSE_S)
