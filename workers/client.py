"""Enqueues jobs from an application: one by one, or many at a time.

    async with Client() as client:
        await client.enqueue("send_invoice", 4711, _queue="emails")
        await client.enqueue_many(NewJob("resize", queue_key("bulk"), (path,)) for path in paths)

What it enqueues is what a plain arq client would enqueue; it also rings the bell and writes the event, in one round
trip.
"""

import asyncio
import itertools
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from redis.asyncio import Redis

from workers.journal import Journal, NewJob
from workers.keys import queue_key
from workers.line import Line
from workers.settings import Settings, load_settings

GROUP = 1000


class Client:
    """One connection to the server. Errors are redis-py's own, and those of `Journal.enqueue`."""

    def __init__(self, settings: Settings | None = None) -> None:
        settings = settings or load_settings()
        self._redis = Redis.from_url(settings.resolved_redis_url(), socket_connect_timeout=3)
        self._line = Line(self._redis)
        self._journal = Journal(self._redis, settings, self._line)

    async def enqueue(
        self,
        task: str,
        *args: Any,
        _queue: str = "default",
        _id: str | None = None,
        _delay_s: float = 0,
        **kwargs: Any,
    ) -> str:
        """Enqueue one job and return its id. `_queue` is a lane's name.

        Raises JobExists when `_id` waits, runs or has a kept result.
        """
        job = NewJob(task, queue_key(_queue), args, kwargs, _id, round(_delay_s * 1000))
        return (await self._journal.enqueue([job]))[0]

    async def enqueue_many(self, jobs: Iterable[NewJob]) -> list[str]:
        """Enqueue any number of jobs, in groups of 1,000, each of them whole or not at all; the ids, in order.

        Raises JobExists when an id is taken: the groups before that job's are enqueued then, the others are not.
        """
        ids: list[str] = []
        remaining = iter(jobs)
        underway: asyncio.Task[list[str]] | None = None
        try:
            while group := list(itertools.islice(remaining, GROUP)):
                # The server takes one group in while the next one is pickled.
                prepared = self._journal.prepare(group)
                if underway:
                    ids += await underway
                underway = asyncio.create_task(self._journal.enqueue_prepared(prepared))
                await asyncio.sleep(0)
            if underway:
                ids += await underway
        finally:
            if underway and not underway.done():
                await asyncio.gather(underway, return_exceptions=True)
        return ids

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._line.close()
        await self._redis.aclose()
