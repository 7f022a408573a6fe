"""Waiting until jobs are where a test wants them."""

from typing import Any

from arq.connections import ArqRedis

from arqlight.journal.reader import Reader
from tests.support.waiting import eventually


async def reaches(reader: Reader, job_id: str, state: str, within_s: float = 15) -> Any:
    """A job, in all detail, as soon as it is in that state."""

    async def there() -> Any:
        detail = await reader.job_json(job_id)
        return detail if detail["state"] == state else None

    return await eventually(there, within_s)


async def succeeded(pool: ArqRedis, number: int) -> bool:
    """Whether exactly so many jobs have succeeded."""
    return bool(await pool.zcard("arqlight:succeeded") == number)


async def none_waits(pool: ArqRedis, queue: str = "arq:queue") -> bool:
    """Whether nothing waits or runs in a queue."""
    return not await pool.zcard(queue)
