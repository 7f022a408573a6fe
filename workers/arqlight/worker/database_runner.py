"""Runs the jobs of a database connection beside a worker: claims for the free slots, and wakes when there is more."""

import asyncio
import contextlib
import json
import logging
import uuid
from functools import partial
from typing import Any

from arqlight.background import end, keep, keep_running
from arqlight.connections.database import DatabaseConnection
from arqlight.connections.database.claims import Claims
from arqlight.connections.database.endings import Endings
from arqlight.connections.database.listener import listen
from arqlight.connections.database.server_errors import REFUSED
from arqlight.connections.database.writes import Writes
from arqlight.errors import ArqlightError
from arqlight.jobs.queues import queue_name
from arqlight.journal.deadline import CALL_S, SEVERAL_CALLS_S
from arqlight.runtime.job_log import Logbook
from arqlight.worker.about import about
from arqlight.worker.ack_buffer import AckBuffer
from arqlight.worker.attempts import Attempts
from arqlight.worker.database_heartbeat import DatabaseHeartbeat
from arqlight.worker.database_round import DatabaseRound
from arqlight.worker.database_view import view_of
from arqlight.worker.host import RunnerHost
from arqlight.worker.refused_ending import failed_instead

logger = logging.getLogger("arqlight.database")
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 5.0
# What ended and cannot be written within this is run again by another worker: a stop has an end.
DRAIN_S = 15.0


class Runner:
    """Runs jobs of one database with a worker's tasks, hooks and settings, in slots of its own."""

    def __init__(self, worker: RunnerHost, connection: DatabaseConnection) -> None:
        self.connection = connection
        self._worker = worker
        self._pool = connection.pool
        writes = Writes(self._pool)
        self.view = view_of(worker, connection, writes)
        self._logbook = Logbook(writes, self.view.id, only_jobs=True)
        manager = uuid.uuid4()
        self._claims = Claims(self._pool, self.view.id, manager, self._about, worker.keeps_to_own)
        self._endings = AckBuffer(
            Endings(self._pool, manager), self.view.id,
            lambda ending, refusal: failed_instead(ending, refusal, self.view.id, self.view.job_serializer), self.wake,
        )  # fmt: skip
        self.attempts = Attempts(
            self.view, self._endings, worker.count, self.wake, {}, began=writes.began, over=writes.ended
        )
        bounds = (worker.settings.keep_succeeded, worker.settings.keep_failed, worker.settings.keep_events)
        self._heartbeat = DatabaseHeartbeat(worker, self._pool, self.view.id, manager, self._about, bounds)
        self.round = DatabaseRound(worker, connection, self._claims, self.attempts, self._endings)
        self._wake = asyncio.Event()
        self._is_known = False
        self._serving: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; a database that is away is waited for."""
        name = self.connection.name
        self._serving = asyncio.create_task(keep_running(f"claiming from {name!r}", self._serve, may_return=True))
        self._listening = keep(f"listener of {name!r}", partial(listen, self._pool, self._hear))

    async def drained(self) -> None:
        """Return when a burst is over."""
        if self._serving is not None:
            await self._serving

    async def stop(self, grace_s: float) -> None:
        """Take nothing more; what runs has `grace_s` seconds, then goes back with its attempt not counted."""
        self.view.is_stopping = True
        await end(self._serving)
        if grace_s > 0:
            await self.attempts.wait(grace_s)
        self.attempts.cancel()
        await self.attempts.end()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await self._endings.drain()
        await self.view.progress.close()
        await self._logbook.close_book()
        await end(self._listening)
        if self._is_known:
            await self._heartbeat.stop()
            try:
                async with self._pool.within(CALL_S):
                    await self._claims.leave()
            except ArqlightError as error:
                logger.warning("%s left without a word, its lease runs out: %s", self.view.id, error)

    def wake(self) -> None:
        """Look again: there may be more to take, a slot is free, or something that was set has changed."""
        self.view.overrides = self._worker.overrides
        self._wake.set()

    def _hear(self, payload: str) -> None:
        """Something changed in the queues, or a job was called off; "" after a reconnect: anything may have."""
        told = json.loads(payload) if payload else {}
        self.round.recalls |= told.get("type") != "table_changed_event"
        # A job that goes makes room for another only where a queue is limited.
        if told.get("operation") != "delete" or self.round.is_limited:
            self._wake.set()

    async def _serve(self) -> None:
        pause_s = FIRST_PAUSE_S
        with self._logbook.attached():
            while True:
                self._wake.clear()
                try:
                    async with self._pool.within(SEVERAL_CALLS_S):
                        wait_s = await self._go()
                    pause_s = FIRST_PAUSE_S
                except (*REFUSED, ArqlightError) as error:
                    logger.warning("jobs of connection %r wait: %s", self.connection.name, error)
                    wait_s, pause_s = await self._pause(pause_s)
                except Exception:
                    logger.exception("jobs of connection %r wait, trying again", self.connection.name)
                    wait_s, pause_s = await self._pause(pause_s)
                if wait_s is None:
                    break  # the end of a burst
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()
                await asyncio.sleep(0)  # those that end together leave their slots together
        await self.attempts.wait()
        await self._endings.drain()

    @staticmethod
    async def _pause(pause_s: float) -> tuple[float | None, float]:
        await asyncio.sleep(pause_s)  # not the wake-up: jobs that end meanwhile do not make the server come back
        return 0, min(pause_s * 2, LONGEST_PAUSE_S)

    async def _go(self) -> float | None:
        if not self._is_known:
            await self.round.announce()
            self._is_known = True
            self._heartbeat.start()
        return await self.round.go()

    def _about(self) -> dict[str, Any]:
        """What the worker says of itself; also called in the heartbeat's thread."""
        told = about(self._worker)
        told["queues"] = [queue_name(queue) for queue in told["queues"]]
        told["limits"] = {queue_name(queue): limit for queue, limit in told["limits"].items()}
        return told
