"""Finds what plain arq has on a server: queues whatever they are called, workers, and results."""

import asyncio
import time

from arq.constants import health_check_key_suffix
from redis.asyncio import Redis

from arqlight.connections.observed.results import Result, read_result
from arqlight.connections.redis.queue_search import may_be_queues, queues_among
from arqlight.jobs.names import read_name
from arqlight.journal.keys import KEYS

LOOK_S = 0.5
LOOKING_SHARE = 4  # a server with many keys is looked through so seldom that it takes a quarter of the time
MOST_RESULTS = 20_000
MOST_KEYS_A_LOOK = 200_000


class Findings:
    """What was found so far. Each result is read once; a result that is gone is forgotten.

    `health` is what the workers of each queue say of themselves.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.queues: set[str] = set()
        self.health: dict[str, str] = {}
        self.results: dict[str, Result] = {}
        self._unreadable: set[str] = set()
        self._look_again = 0.0
        self._looking = asyncio.Lock()

    async def look(self, *, now: bool = False) -> None:
        """Find queues, workers and results that are new, at most as often as it takes a part of the time."""
        async with self._looking:
            began = time.monotonic()
            if began < self._look_again and not now:
                return
            await self._find_queues()
            await self._find_results()
            took = time.monotonic() - began
            self._look_again = began + max(LOOK_S, took * LOOKING_SHARE)

    async def _find_queues(self) -> None:
        suspects = []
        looked_at = 0
        async for key in self._redis.scan_iter(count=1_000, _type="zset"):
            looked_at += 1
            if looked_at > MOST_KEYS_A_LOOK:
                break
            suspects.append(read_name(key))
        self.queues |= await queues_among(self._redis, may_be_queues({*suspects} - self.queues))
        self.health = {}
        async for key in self._redis.scan_iter(match=f"*{health_check_key_suffix}", count=1_000):
            queue = read_name(key).removesuffix(health_check_key_suffix)
            said = await self._redis.get(key)
            if said:
                self.queues.add(queue)
                self.health[queue] = said.decode("utf-8", "replace")

    async def _find_results(self) -> None:
        prefix = KEYS["result"]
        there: set[str] = set()
        async for key in self._redis.scan_iter(match=f"{prefix}*", count=1_000):
            there.add(read_name(key).removeprefix(prefix))
            if len(there) >= MOST_RESULTS:
                break
        self.results = {job_id: result for job_id, result in self.results.items() if job_id in there}
        self._unreadable &= there
        # What failed is read again: its job may have been run anew, with the same id.
        known = {job_id for job_id, result in self.results.items() if result.success} | self._unreadable
        unknown = list(there - known)
        for first in range(0, len(unknown), 100):
            ids = unknown[first : first + 100]
            for job_id, raw in zip(ids, await self._redis.mget([prefix + job_id for job_id in ids]), strict=True):
                result = read_result(raw)
                if result is not None:
                    self.results[job_id] = result
                elif raw is not None:
                    self._unreadable.add(job_id)
