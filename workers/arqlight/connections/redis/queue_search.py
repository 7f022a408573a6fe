"""Which sorted sets are queues of arq's, whatever they are called."""

from collections.abc import Iterable, Sequence

from arq.constants import abort_jobs_ss, health_check_key_suffix
from redis.asyncio import Redis

from arqlight.jobs.queues import is_queue_key
from arqlight.journal.keys import KEYS

OWN_PREFIX = "arqlight:"
LOOKED_INTO = 3  # members of each


def may_be_queues(names: Iterable[str]) -> list[str]:
    """Those whose names leave it open."""
    return [name for name in names if name != abort_jobs_ss and not name.startswith(OWN_PREFIX)]


async def queues_among(redis: Redis, names: Sequence[str]) -> set[str]:
    """Those that are queues: by their name, by a worker that says it serves them, or by the jobs in them."""
    async with redis.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.zrange(name, 0, LOOKED_INTO - 1)
        members = await pipe.execute(raise_on_error=False)
        for name, ids in zip(names, members, strict=True):
            jobs = [] if isinstance(ids, Exception) else [KEYS["payload"].encode() + job_id for job_id in ids]
            pipe.exists(*jobs, f"{name}{health_check_key_suffix}")
        signs = await pipe.execute()
    return {name for name, sign in zip(names, signs, strict=True) if sign or is_queue_key(name)}
