"""The lease of a worker on a database, renewed from a thread: a task that blocks the event loop does not cost it."""

import asyncio
import logging
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from arqlight.connections.database.journal import DatabaseJournal
from arqlight.connections.database.pool import Pool
from arqlight.journal.deadline import CALL_S
from arqlight.journal.scripting import LEASE_MS
from arqlight.worker.heartbeat import BEAT_S, Heartbeat, HeartbeatHost

logger = logging.getLogger("arqlight.heartbeat")
PRUNE_EVERY_BEATS = 24


class DatabaseHeartbeat(Heartbeat):
    """As the heartbeat on Redis, on a connection to the database; it rescues the jobs of dead workers there.

    :param pool: of the worker's event loop; this thread has a connection of its own.
    :param bounds: how many ended jobs, failed jobs and entries of the log are kept.
    """

    def __init__(
        self,
        host: HeartbeatHost,
        pool: Pool,
        worker: str,
        manager: uuid.UUID,
        about: Callable[[], dict[str, Any]],
        bounds: Sequence[int],
    ) -> None:
        super().__init__(host, None)
        self._beside = pool
        self._worker = worker
        self._manager = manager
        self._about = about
        self._bounds = bounds

    async def _keep_beating(self) -> None:
        pool = self._beside.beside(most=1)
        journal = DatabaseJournal(pool, ())
        beats = 0
        try:
            while not self._stopping.is_set():
                if not self._is_stuck():
                    async with pool.within(CALL_S):
                        await self._beat_once(pool, journal, beats)
                beats += 1
                await asyncio.to_thread(self._stopping.wait, BEAT_S)
        finally:
            await pool.close()

    async def _beat_once(self, pool: Pool, journal: DatabaseJournal, beats: int) -> None:
        await pool.rows("beat", self._worker, self._manager, self._about(), LEASE_MS / 1000)
        if rescued := await journal.rescue():
            logger.warning("%d jobs of dead workers are back in their queues", rescued)
        if beats % PRUNE_EVERY_BEATS == PRUNE_EVERY_BEATS - 1:
            await pool.rows("prune", *self._bounds)
