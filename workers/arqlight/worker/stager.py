"""The stager: one of all workers sends the wake-ups that nobody else sends.

Plain arq clients leave no wake-up token, and a scheduled job becomes due by itself. If every worker listened for
those, every new job would wake every worker; so one does, and it wakes one: its own, when that is idle. It
lives in the heartbeat's thread, where no task can block it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from arqlight.connections.connection_errors import reason_of
from arqlight.journal.deadline import CALL_S, deadline
from arqlight.journal.keys import KEYS
from arqlight.journal.pubsub import PAUSE_S, growing_sets, hear
from arqlight.journal.scripting import Scripts

logger = logging.getLogger("arqlight.stager")
# Other applications' sorted sets grow as well. Which are queues is looked up so often.
LOOK_UP_S = 2.5
MOST_HEARD = 1000
# How long the stager's own worker may take to look for a job that it was offered, before another is woken.
LONGEST_HEAD_START_S = 0.1
Offer = Callable[[Callable[[], None]], bool]


class Stager:
    """Sends a wake-up when a queue grew or a scheduled job is due.

    :param offer: wakes the stager's own worker if that is idle, and says whether it did; called in this thread. The
        worker calls what it is given when it has looked.
    :param poll_s: how often to look where the server sends no notifications, in seconds; None where it does.
    """

    def __init__(self, redis: Redis, scripts: Scripts, offer: Offer, poll_s: float | None) -> None:
        self._redis = redis
        self._offer = offer
        self._scripts = scripts
        self._poll_s = poll_s
        self._changed = asyncio.Event()
        self._queues: frozenset[bytes] = frozenset()
        self._looked_up_s = 0.0
        self._heard: set[bytes] = set()
        self.is_waiting = False  # for a job to come: all that came before has been handled

    async def keep_staging(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            if self._poll_s is None:
                group.create_task(hear(self._redis, growing_sets(self._redis), self._hear))
            group.create_task(self._keep_waking())

    def _hear(self, key: bytes) -> None:
        if not key or key in self._queues:
            if key and len(self._heard) < MOST_HEARD:
                self._heard.add(key)
            self._changed.set()

    async def _look_up(self) -> None:
        """Which sorted sets are queues, from time to time."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._looked_up_s >= LOOK_UP_S or not self._queues:
            self._queues = frozenset(await self._redis.smembers(KEYS["queues"]))  # type: ignore[misc]
            self._looked_up_s = now_s

    async def _keep_waking(self) -> None:
        while True:
            self.is_waiting = False
            self._changed.clear()
            try:
                async with deadline(CALL_S):
                    await self._look_up()
                heard, self._heard = self._heard, set()
                next_due_ms = int(await self._scripts.run("ring", *heard))
            except (RedisError, TimeoutError) as error:
                logger.warning("no worker can be woken, trying again: %s", reason_of(error))
                await asyncio.sleep(PAUSE_S)
                continue
            waits = [
                LOOK_UP_S,
                *(
                    wait
                    for wait in (next_due_ms / 1000 if next_due_ms >= 0 else None, self._poll_s)
                    if wait is not None
                ),
            ]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(waits)):
                    self.is_waiting = True
                    await self._changed.wait()
                    self.is_waiting = False
                    await self._offer_to_own_worker()

    async def _offer_to_own_worker(self) -> None:
        """Return when the own worker has looked, or when there is no use in waiting for that."""
        loop, looked = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # this loop has ended meanwhile
                loop.call_soon_threadsafe(looked.set)

        if self._offer(tell):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_HEAD_START_S):
                    await looked.wait()
