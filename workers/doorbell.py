"""Wakes an idle worker: the journal rings a bell; for plain arq clients, who ring none, there are notifications."""

import asyncio
import logging
from collections.abc import Callable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from workers.keys import KEYS

logger = logging.getLogger("arqlight.doorbell")
PAUSE_S = 1.0


async def allow_notifications(redis: Redis) -> bool:
    """Ask the server to tell when a sorted set grows (flags `E` and `z`); whether it does.

    What was configured stays. Managed servers may refuse CONFIG: then a slow poll has to do.
    """
    try:
        flags = str((await redis.config_get("notify-keyspace-events"))["notify-keyspace-events"])
        if "E" not in flags or not {"z", "A"} & set(flags):
            await redis.config_set("notify-keyspace-events", flags + "Ez")
    except (RedisError, KeyError) as error:
        logger.warning("no keyspace notifications (%s): jobs of plain arq clients are polled for", error)
        return False
    return True


class Doorbell:
    """Calls `ring(queue key)` when a queue may have new work; ("" after a reconnect: anything may have come)."""

    def __init__(self, redis: Redis, ring: Callable[[str], None]) -> None:
        self._redis = redis
        self._ring = ring
        self.is_listening = asyncio.Event()

    async def listen(self) -> None:
        """Listen until cancelled; a lost connection is made anew."""
        database = self._redis.connection_pool.connection_kwargs.get("db", 0)
        channels = (KEYS["bell"], f"__keyevent@{database}__:zadd")
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
                    await pubsub.subscribe(*channels)
                    self.is_listening.set()
                    self._ring("")
                    async for message in pubsub.listen():
                        self._ring(message["data"].decode())
            except RedisError as error:
                logger.warning("the bell is silent, connecting again: %s", error)
                await asyncio.sleep(PAUSE_S)
