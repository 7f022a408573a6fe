"""Jobs of whatever driver, and the schema that those of a database stand in."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from arqlight.connections.connection import Connection
from arqlight.connections.database.schema import SCHEMA
from arqlight.jobs.queues import queue_key
from arqlight.journal.journal import NewJob
from tests.support.waiting import eventually

QUEUE = queue_key("default")
Work = Callable[..., Awaitable[Any]]


async def empty_schema(url: str) -> None:
    """A database in which no job was ever seen."""
    connection = await asyncpg.connect(url)
    await connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    await connection.close()


async def enqueue(connection: Connection, task: str, *args: Any, **options: Any) -> str:
    [job_id] = await connection.journal.enqueue([NewJob(task, options.pop("queue", QUEUE), args, **options)])
    return job_id


async def shown(connection: Connection, job_id: str, state: str, within_s: float = 15) -> dict[str, Any]:
    """The job, once it is in a state."""

    async def there() -> Any:
        job = await connection.reader.job_json(job_id)
        return job if job["state"] == state else None

    found: dict[str, Any] = await eventually(there, within_s)
    return found
