"""What the service does beside answering: it finds queues it has not seen, and rescues when no worker is left to."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

from aiohttp import web
from redis.exceptions import RedisError

from arqlight.connections.connection import Connection
from arqlight.connections.redis import RedisConnection
from arqlight.errors import ArqlightError
from arqlight.jobs.queues import DEFAULT_QUEUE, is_queue_key
from arqlight.journal.keys import KEYS
from arqlight.journal.pubsub import allow_notifications, growing_sets, hear
from arqlight.worker.heartbeat import BEAT_S
from arqlight_service.app_keys import CONNECTIONS, SETTINGS

logger = logging.getLogger("arqlight.upkeep")


async def keep_up(app: web.Application) -> AsyncIterator[None]:
    """Own the tasks of this module while the application runs."""
    keep_audit = app[SETTINGS].keep_audit
    tasks = [
        *(asyncio.create_task(find_queues(journal)) for journal in app[CONNECTIONS].of_journals),
        *(asyncio.create_task(rescue(each, keep_audit)) for each in app[CONNECTIONS] if each.can_write),
    ]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def find_queues(connection: RedisConnection) -> None:
    """Make queues known that plain arq clients put jobs into: those there at the start, then each as it grows."""
    known: set[str] = set()
    fresh: asyncio.Queue[str] = asyncio.Queue(maxsize=1000)

    def grown(data: bytes) -> None:
        key = data.decode("utf-8", "replace")
        if key not in known and is_queue_key(key) and not fresh.full():
            known.add(key)
            fresh.put_nowait(key)

    async with asyncio.TaskGroup() as group:
        group.create_task(hear(connection.redis, growing_sets(connection.redis), grown))
        group.create_task(_scan(connection, grown))
        while True:
            key = await fresh.get()
            try:
                await connection.journal.announce_queues([key])
            except RedisError as error:
                logger.warning("queue %s not noted yet: %s", key, error)
                known.discard(key)


async def _scan(connection: RedisConnection, grown: Callable[[bytes], None]) -> None:
    while True:
        try:
            await allow_notifications(connection.redis)
            grown(DEFAULT_QUEUE.encode())
            async for key in connection.redis.scan_iter(match=f"{DEFAULT_QUEUE}*", count=1000, _type="zset"):
                grown(key)
            return
        except RedisError as error:
            logger.warning("the server's queues could not be read yet: %s", error)
            await asyncio.sleep(BEAT_S)


async def rescue(connection: Connection, keep_audit: int) -> None:
    """Return the jobs of dead workers, so that the page tells the truth also when the last worker died.

    And hold the audit list to its bound.
    """
    while True:
        await asyncio.sleep(BEAT_S)
        try:
            await connection.journal.rescue()
            if isinstance(connection, RedisConnection):
                await connection.redis.ltrim(KEYS["audit"], 0, keep_audit - 1)  # type: ignore[misc]
        except (RedisError, OSError, ArqlightError) as error:
            logger.warning("dead workers could not be looked for: %s", error)
