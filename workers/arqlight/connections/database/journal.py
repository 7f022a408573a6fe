"""The transitions of jobs in PostgreSQL; those of a run are in `claims.py` and `endings.py`."""

import os
import pickle
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from arq.jobs import serialize_job
from arq.utils import timestamp_ms
from pgqueuer.db import AsyncpgDriver
from pgqueuer.domain.errors import DuplicateJobError
from pgqueuer.queries import Queries

from arqlight.connections.database.pool import Pool, query
from arqlight.connections.database.rows import bounded_delay_ms, is_storable, to_moment
from arqlight.connections.database.schema import pgqueuer_queries
from arqlight.errors import JobExists, JobNotCancellable, JobNotFound, JobNotRetryable, WorkerLost
from arqlight.jobs.queues import queue_name
from arqlight.jobs.storable_text import check_text
from arqlight.journal.journal import LOST_MESSAGE, NewJob
from arqlight.journal.scripting import LEASE_MS

LONGEST_NAME = 500  # of an id, a queue or a task: an index of PostgreSQL has an end


class DatabaseJournal:
    """What can be done to jobs, each in one statement."""

    def __init__(self, pool: Pool, queues: Sequence[str], serializer: Callable[[Any], bytes] = pickle.dumps) -> None:
        self._pool = pool
        self._serializer = serializer
        names = [name.partition("=")[0] for name in queues]
        # PgQueuer takes the highest priority first: the queues in the order in which workers take from them.
        self._priorities = {name: len(names) - place for place, name in enumerate(names)}
        self._noted: set[str] = set()
        self._rescuer = os.urandom(8).hex()

    async def enqueue(self, jobs: Sequence[NewJob], within: Any = None) -> list[str]:
        """Enqueue all of `jobs` or none; the ids, in order.

        :param within: a connection of the caller's (asyncpg's, psycopg's AsyncConnection, SQLAlchemy's AsyncConnection
            over either) with a transaction under way: the jobs come with its commit, or not at all.

        Raises InvalidInput for a text that PostgreSQL cannot hold, JobExists, arq's SerializationError, Unusable; with
        `within`, what that connection raises.
        """
        for job in jobs:
            for field, text in (("id", job.id), ("queue", queue_name(job.queue)), ("task", job.task)):
                if text is not None:
                    check_text(field, text, LONGEST_NAME, shortest=1)
        # An id of its own for each, as on Redis: the number of a row may be the id that somebody chose for another job.
        jobs = [job if job.id else replace(job, id=os.urandom(16).hex()) for job in jobs]
        if within is not None:
            return await self._enqueue(await _driver_of(within), jobs)
        await self._note_queues({queue_name(job.queue) for job in jobs})
        async with self._pool.acquire() as connection, connection.transaction():
            return await self._enqueue(AsyncpgDriver(connection), jobs)

    async def retry(self, job_id: str, until_ms: int | None = None) -> None:
        """Put a failed job back with 0 attempts. Raises JobNotFound, JobNotRetryable."""
        number = await self._number(job_id)
        async with self._pool.acquire() as connection:
            try:
                done = await connection.fetchval(query("retry"), number, to_moment(until_ms))
            except Exception as error:
                if getattr(error, "sqlstate", None) == "23505":  # its id waits or runs again already
                    raise JobNotRetryable(f"a newer job with id {job_id!r} waits or runs; nothing to retry") from error
                raise
        if done is None:
            raise JobNotFound(job_id, "in the failed list")

    async def delete(self, job_id: str, until_ms: int | None = None) -> None:
        """Remove a failed job permanently. Raises JobNotFound."""
        if await self._pool.value("delete", await self._number(job_id), to_moment(until_ms)) is None:
            raise JobNotFound(job_id, "in the failed list")

    async def cancel(self, job_id: str, queue: str, task: str, created_ms: int | None = None) -> bool:
        """Call off a waiting job, or ask the worker of a running one to stop. Raises JobNotCancellable."""
        row = await self._pool.row("job", job_id)
        # It may be claimed between the first two, and put back before the third: then the fourth finds it.
        for verb in ("cancel", "recall", "cancel", "recall"):
            if row is not None and await self._pool.value(verb, row["number"]) is not None:
                return verb == "cancel"
        raise JobNotCancellable(f"job {job_id!r} neither waits nor runs; there is nothing to cancel")

    async def pause(self, queue: str, paused: bool) -> bool:
        """Let no worker claim from a queue, or let them again; whether that changed anything."""
        return await self._pool.value("pause" if paused else "resume", queue_name(queue)) is not None

    async def empty(self, queue: str, most: int) -> int:
        """Remove up to `most` jobs that wait in a queue; how many went."""
        return len(await self._pool.rows("empty", queue_name(queue), most))

    async def rescue(self, asks_for_ms: int | None = None) -> int:
        """Return the jobs of dead workers to their queues; how many came back.

        To be called every few seconds: nothing comes back before the server has answered us for
        `asks_for_ms`, a lease's time.
        """
        lost = (WorkerLost.__name__, LOST_MESSAGE, WorkerLost.__name__)
        asks_for_ms = LEASE_MS if asks_for_ms is None else asks_for_ms
        return int(await self._pool.value("rescue", *lost, self._rescuer, float(asks_for_ms), float(LEASE_MS)))

    async def announce_tasks(self, tasks: dict[str, dict[str, Any]]) -> None:
        """Make tasks known to those that enqueue by name: task -> `{"queue": key, "serializer": "pickle"|"custom"}`."""
        rows = [(name, queue_name(about["queue"]), about["serializer"]) for name, about in tasks.items()]
        async with self._pool.acquire() as connection:
            await connection.executemany(query("announce_task"), rows)

    async def announce_queues(self, queues: Sequence[str]) -> None:
        """Make queues known to the readers."""
        await self._note_queues({queue_name(queue) for queue in queues})

    async def _note_queues(self, names: set[str]) -> None:
        if names - self._noted:
            await self._pool.rows("note_queues", sorted(names))
            self._noted |= names

    async def _number(self, job_id: str) -> int:
        row = await self._pool.row("job", job_id) if is_storable(job_id) else None
        if row is None:
            raise JobNotFound(job_id, "in the failed list")
        return int(row["number"])

    async def _enqueue(self, driver: Any, jobs: Sequence[NewJob]) -> list[str]:
        now = timestamp_ms()
        chosen = [job.id for job in jobs if job.id is not None]
        taken = await driver.fetch(query("taken"), chosen) if chosen else []
        if taken or len(set(chosen)) < len(chosen):
            repeated = {job_id for job_id in chosen if chosen.count(job_id) > 1}
            raise JobExists(sorted({str(row["id"]) for row in taken} | repeated))
        try:
            queries: Queries = pgqueuer_queries(driver)
            await queries.enqueue(
                [queue_name(job.queue) for job in jobs],
                [self._serialized(job, now) for job in jobs],
                [self._priorities.get(queue_name(job.queue), 0) for job in jobs],
                [timedelta(milliseconds=bounded_delay_ms(job.delay_ms)) for job in jobs],
                [job.id for job in jobs],
                [_headers(job) for job in jobs],
            )
        except DuplicateJobError as error:
            raise JobExists(chosen) from error
        return chosen

    def _serialized(self, job: NewJob, now_ms: int) -> bytes:
        return serialize_job(job.task, tuple(job.args), job.kwargs or {}, None, now_ms, serializer=self._serializer)


def _headers(job: NewJob) -> dict[str, str]:
    expiry = {} if job.expires_ms is None else {"expires_ms": str(job.expires_ms)}
    return {"task": job.task, **expiry}


async def _driver_of(connection: Any) -> Any:
    """PgQueuer's driver for a connection of the caller's."""
    if hasattr(connection, "get_raw_connection"):  # SQLAlchemy's
        connection = (await connection.get_raw_connection()).driver_connection
    if hasattr(connection, "fetchval"):
        return AsyncpgDriver(connection)
    return PsycopgWithin(connection)


class PsycopgWithin:
    """A psycopg connection in a transaction, as far as enqueueing needs a driver (PgQueuer's own wants autocommit)."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, text: str, *args: object) -> list[dict[str, object]]:
        """What a query with $1, $2, … finds."""
        named = re.sub(r"\$(\d+)", r"%(p\1)s", text.replace("%", "%%"))
        given = {f"p{place}": value for place, value in enumerate(args, start=1)}
        cursor = await self._connection.execute(named, given)
        columns = [column.name for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in await cursor.fetchall()]
