"""Messages of the server's pub/sub: keyspace notifications, and summons to one worker."""

import asyncio
import logging
from collections.abc import Callable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from arqlight.journal.dedicated_connection import DedicatedConnection

logger = logging.getLogger("arqlight.notices")
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


def growing_sets(redis: Redis) -> str:
    """The channel that names each sorted set that something was added to."""
    return f"__keyevent@{redis.connection_pool.connection_kwargs.get('db', 0)}__:zadd"


async def hear(redis: Redis, channel: str, tell: Callable[[bytes], None]) -> None:
    """Call `tell(message)` for each message of `channel` until cancelled; a lost connection is made anew.

    After each connect it is called with b"": anything may have been missed.
    """
    while True:
        line = DedicatedConnection(redis)
        try:
            async for message in line.messages(channel):
                tell(message)
        except RedisError as error:
            logger.warning("%s is silent, connecting again: %s", channel, error)
            await asyncio.sleep(PAUSE_S)
        finally:
            await line.close()
