"""Enqueues jobs from an application: one by one, or many at a time.

    async with Client() as client:
        await client.enqueue("send_invoice", 4711, _queue="emails")
        await client.enqueue_many(NewJob("resize", queue_key("bulk"), (path,)) for path in paths)

What it enqueues on Redis is what a plain arq client would enqueue; it also wakes a worker and writes the event, in one
round trip. On a database it may be part of the caller's own transaction:

        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("INSERT INTO orders …")
            await client.enqueue("send_invoice", 4711, _connection="billing", _within=connection)
"""

import asyncio
import itertools
from collections.abc import Iterable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any

from arq.utils import timestamp_ms, to_ms, to_unix_ms

from arqlight.connections.connection import Connection, Transitions
from arqlight.connections.named import open_connections
from arqlight.connections.redis import RedisConnection
from arqlight.errors import InvalidInput
from arqlight.jobs.queues import DEFAULT_QUEUE, queue_key, queue_name
from arqlight.journal.dedicated_connection import DedicatedConnection
from arqlight.journal.journal import Journal, NewJob
from arqlight.settings import Settings, load_settings
from arqlight.tasks import Task

GROUP = 1000


class Client:
    """A connection to each place that is set, made when it is used. Errors are redis-py's own, Unusable for a database,
    and those of `Journal.enqueue`.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or load_settings()
        self.connections = open_connections(self._settings)
        self._journals: dict[str, Journal] = {}
        self._lines: list[DedicatedConnection] = []

    async def enqueue(
        self,
        task: str | Task,
        *args: Any,
        _queue: str | None = None,
        _id: str | None = None,
        _delay_s: float = 0,
        _connection: str | None = None,
        _within: Any = None,
        _job_id: str | None = None,
        _queue_name: str | None = None,
        _defer_until: datetime | None = None,
        _defer_by: float | timedelta | None = None,
        _expires: float | timedelta | None = None,
        **kwargs: Any,
    ) -> str:
        """Enqueue one job and return its id. Names of arq's `enqueue_job` mean what they mean there.

        :param task: its name, or the declared task itself, which knows its queue and connection.
        :param _queue: the name of a queue; `default` for a task that is named only.
        :param _connection: where to, by name; else as the task or ARQLIGHT_ROUTES say, else the first one.
        :param _job_id: arq's name for `_id`.
        :param _queue_name: the key of a queue, as arq takes it: `arq:queue:high` for the queue `high`.
        :param _defer_until, _defer_by, _expires: as in arq; seconds where they are numbers.
        :param _within: a connection of the caller's to the same database, with a transaction under way: the job comes
            with its commit, or not at all.

        Raises JobExists when `_id` waits, runs or has a kept result, NotFound for an unknown connection, InvalidInput
        for `_within` on a connection that is no database, and what a declared task's own `check` raises.
        """
        if isinstance(task, Task) and task.check:
            task.check(*args, **kwargs)
        name = task if isinstance(task, str) else task.name
        if "_job_try" in kwargs:
            raise InvalidInput("_job_try", "a job begins with its first try here; arq's own client may choose another")
        key = _queue_name or (queue_key(_queue) if _queue else DEFAULT_QUEUE if isinstance(task, str) else task.queue)
        own = None if isinstance(task, str) else task.connection
        connection = self.connections.find(_connection or self._settings.route(name, queue_name(key)) or own)
        delay_ms = _delay_ms(_delay_s, _defer_by, _defer_until)
        job = NewJob(name, key, args, kwargs, _job_id or _id, delay_ms, _expiry_ms(_expires, delay_ms))
        if _within is None:
            return (await self._journal(connection).enqueue([job]))[0]
        if connection.driver != "database":
            raise InvalidInput("_within", f"connection {connection.name!r} is no database, and has no transactions")
        from arqlight.connections.database import DatabaseConnection  # not loaded where there is no database

        assert isinstance(connection, DatabaseConnection)  # noqa: S101 - its driver says so
        return (await connection.journal.enqueue([job], _within))[0]

    async def enqueue_many(self, jobs: Iterable[NewJob], connection: str | None = None) -> list[str]:
        """Enqueue any number of jobs, in groups of 1,000, each of them whole or not at all; the ids, in order.

        All go to one connection, the first one unless another is named.

        Raises JobExists when an id is taken: the groups before that job's are enqueued then, the others are not.
        """
        to = self.connections.find(connection)
        remaining = iter(jobs)
        ids: list[str] = []
        if not isinstance(to, RedisConnection):
            while group := list(itertools.islice(remaining, GROUP)):
                ids += await to.journal.enqueue(group)
            return ids
        journal = self._journal_of(to)
        underway: asyncio.Task[list[str]] | None = None
        try:
            while group := list(itertools.islice(remaining, GROUP)):
                # The server takes one group in while the next one is pickled.
                prepared = journal.prepare(group)
                if underway:
                    ids += await underway
                underway = asyncio.create_task(journal.enqueue_prepared(prepared))
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
        for line in self._lines:
            await line.close()
        await self.connections.close()

    def _journal(self, connection: Connection) -> Transitions:
        return self._journal_of(connection) if isinstance(connection, RedisConnection) else connection.journal

    def _journal_of(self, connection: RedisConnection) -> Journal:
        """The journal over a line of its own, which is quicker than the pool."""
        if connection.name not in self._journals:
            line = DedicatedConnection(connection.redis)
            self._lines.append(line)
            self._journals[connection.name] = Journal(connection.redis, self._settings, line)
        return self._journals[connection.name]


def _expiry_ms(expires: float | timedelta | None, delay_ms: int) -> int | None:
    """arq counts from now, `NewJob` from when the job is due."""
    lives_ms = to_ms(expires)
    return None if lives_ms is None else max(lives_ms - delay_ms, 1)


def _delay_ms(delay_s: float, defer_by: float | timedelta | None, defer_until: datetime | None) -> int:
    """Raises InvalidInput for more than one, as arq does for its two."""
    if sum((bool(delay_s), defer_by is not None, defer_until is not None)) > 1:
        raise InvalidInput("_delay_s", "only one of _delay_s, _defer_by and _defer_until says when a job is due")
    if defer_until is not None:
        return max(to_unix_ms(defer_until) - timestamp_ms(), 0)
    return (to_ms(defer_by) or 0) if defer_by is not None else round(delay_s * 1000)
