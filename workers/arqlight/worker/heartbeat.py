"""A worker's heartbeat, from a thread of its own: a task that blocks the event loop does not cost the lease.

The lease is the worker's, not the job's: one renewal covers all that it runs, whether that is 10 jobs or 10,000.
When it runs out, any other worker returns its jobs (`journal.rescue`), which this thread does for others.
"""

import asyncio
import contextlib
import logging
import os
import resource
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from redis.asyncio import Redis

from arqlight.background import end
from arqlight.connections.connection_errors import reason_of
from arqlight.journal.deadline import SEVERAL_CALLS_S, deadline
from arqlight.journal.dedicated_connection import DedicatedConnection
from arqlight.journal.journal import Claim, Journal
from arqlight.settings import Settings
from arqlight.worker.stager import Stager

logger = logging.getLogger("arqlight.heartbeat")
BEAT_S = 2.5
# An event loop may stand still for as long as the longest timeout of what it runs, and so much more.
STANDSTILL_S = 30.0


def memory_bytes() -> int:
    """The memory this process holds: resident now where the system tells (Linux), else its peak so far."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class HeartbeatHost(Protocol):
    """A worker, as far as its heartbeat needs it. All but `loop` is called in the heartbeat's thread."""

    id: str
    settings: Settings
    loop: asyncio.AbstractEventLoop
    hold_ms: int

    def record(self) -> dict[str, str]:
        """What the worker says of itself."""
        ...

    async def announce(self, journal: Journal) -> None:
        """Make known what the worker takes from and what it can run."""
        ...

    async def connect_beside(self) -> Redis:
        """A connection for another event loop than the worker's."""
        ...

    def offer(self, looked: "Looked") -> bool:
        """Wake up for new work if there is nothing else to do; whether it was so."""
        ...

    def long_running(self) -> Sequence[Claim]:
        """What has run for so long that its claim is to be renewed."""
        ...

    def longest_timeout_s(self) -> float | None:
        """The longest timeout of all that runs now; None where something may run for ever."""
        ...


class Looked(Protocol):
    """Called when a worker that was woken has looked."""

    def __call__(self) -> None: ...


class Heartbeat:
    """Renews a worker's lease every `BEAT_S` seconds on a connection and an event loop of its own.

    It also rescues the jobs of dead workers. When the beat wins the post of the stager, the thread stages jobs as well.
    Whatever goes wrong in the thread is logged, and the next beat begins anew.

    :param poll_s: for the stager: how often to look where the server sends no notifications; None where it does.
    """

    def __init__(self, host: HeartbeatHost, poll_s: float | None) -> None:
        self._host = host
        self._poll_s = poll_s
        self._moved_s = time.monotonic()
        self._stands_still = False
        self._staging: asyncio.Task[None] | None = None
        self.stager: Stager | None = None
        self._stopping = threading.Event()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="arqlight-heartbeat", daemon=True)

    def start(self) -> None:
        """Begin; the first beat is sent by the thread."""
        self._thread.start()

    async def stop(self) -> None:
        """Return when the last beat is over, so that none comes after the worker has left."""
        self._stopping.set()
        if self._thread.is_alive():
            await self._ended.wait()

    def _run(self) -> None:
        try:
            self._beat_on()
        finally:
            with contextlib.suppress(RuntimeError):  # the worker's loop is closed
                # No thread of the loop's own joins this one: a task may have filled those, or shut them down.
                self._host.loop.call_soon_threadsafe(self._ended.set)

    def _beat_on(self) -> None:
        while not self._stopping.is_set():
            try:
                asyncio.run(self._keep_beating())
            except BaseException as error:  # a thread of ours: nothing that comes out of it is meant to end it
                logger.warning("heartbeat of %s not sent: %s", self._host.id, reason_of(error))
                self._stopping.wait(BEAT_S)

    async def _keep_beating(self) -> None:
        """Until stopped, or until something goes wrong."""
        async with contextlib.AsyncExitStack() as stack:
            async with deadline(SEVERAL_CALLS_S):
                redis = await self._host.connect_beside()
            stack.push_async_callback(redis.aclose)
            line = DedicatedConnection(redis)
            stack.push_async_callback(line.close)
            journal = Journal(redis, self._host.settings, line)
            stack.push_async_callback(self._keep_staging, redis, journal, False)
            while not self._stopping.is_set():
                if not self._is_stuck():
                    await self._beat(redis, journal)
                await asyncio.to_thread(self._stopping.wait, BEAT_S)

    async def _beat(self, redis: Redis, journal: Journal) -> None:
        fields = [part for pair in self._host.record().items() for part in pair]
        is_stager, is_known = await journal.scripts.run("heartbeat", self._host.id, *fields)
        if not is_known:  # the server lost its data
            await self._host.announce(journal)
        if claims := self._host.long_running():
            await journal.renew(self._host.id, claims, self._host.hold_ms)
        await self._keep_staging(redis, journal, is_stager == 1)
        if rescued := await journal.rescue():
            logger.warning("%d jobs of dead workers are back in their queues", rescued)

    def _is_stuck(self) -> bool:
        """Whether the worker's event loop has stood still for too long; then its lease is left to run out."""
        with contextlib.suppress(RuntimeError):  # it is closed, and the worker about to end
            self._host.loop.call_soon_threadsafe(self._moved)
        longest_s = self._host.longest_timeout_s()
        still_s = time.monotonic() - self._moved_s
        is_stuck = longest_s is not None and still_s > longest_s + STANDSTILL_S
        if is_stuck and not self._stands_still:
            logger.critical(
                "the event loop of %s has not moved for %.0f s, longer than any job may run: its jobs are given away; "
                "a task blocks it, see its stack with `py-spy dump --pid %d`", self._host.id, still_s, os.getpid(),
            )  # fmt: skip
        self._stands_still = is_stuck
        return is_stuck

    def _moved(self) -> None:
        self._moved_s = time.monotonic()

    async def _keep_staging(self, redis: Redis, journal: Journal, is_stager: bool) -> None:
        if self._staging and (self._staging.done() or not is_stager):
            if self._staging.done() and not self._staging.cancelled():
                logger.error("the stager stopped", exc_info=self._staging.exception())
            await end(self._staging)
            self._staging = self.stager = None
        if is_stager and self._staging is None:
            self.stager = Stager(redis, journal.scripts, self._host.offer, self._poll_s)
            self._staging = asyncio.create_task(self.stager.keep_staging())
