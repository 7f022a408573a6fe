"""Wakes an idle worker. Whoever enqueues leaves a token in the queue's wake-up list, and one token wakes one worker."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from redis.asyncio import Redis
from redis.exceptions import RedisError

from arqlight.connections.connection_errors import reason_of
from arqlight.jobs.names import read_name
from arqlight.journal.dedicated_connection import DedicatedConnection
from arqlight.journal.keys import KEYS

logger = logging.getLogger("arqlight.wakeup")
PAUSE_S = 1.0
BLOCK_S = 60


class Wakeup:
    """Waits for a token in the wake-up lists of a worker's queues, while the worker has room for a job.

    Calls `woken(queue key)` for each token; ("" after a reconnect: anything may have come).
    """

    def __init__(self, redis: Redis, queues: Sequence[str], woken: Callable[[str], None]) -> None:
        self._line = DedicatedConnection(redis)
        self._lists = [KEYS["bell"] + queue for queue in queues]
        self._woken = woken
        self._wanted = asyncio.Event()

    def want(self) -> None:
        """Ask for one more token."""
        self._wanted.set()

    async def listen(self) -> None:
        """Listen until cancelled; a lost connection is made anew."""
        try:
            await self._keep_listening()
        finally:
            await self._line.close()

    async def _keep_listening(self) -> None:
        while True:
            await self._wanted.wait()
            try:
                popped = await self._line.call("BLPOP", *self._lists, BLOCK_S, waits_s=BLOCK_S)
            except RedisError as error:
                logger.warning("wake-ups cannot be received, connecting again: %s", reason_of(error))
                await asyncio.sleep(PAUSE_S)
                self._woken("")
                continue
            if popped:
                self._wanted.clear()
                self._woken(read_name(popped[1]))
