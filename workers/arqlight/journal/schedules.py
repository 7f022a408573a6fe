"""Periodic jobs as the server keeps them; people may change them."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from arq.utils import timestamp_ms
from redis.asyncio import Redis

from arqlight.errors import InvalidInput, NotFound
from arqlight.jobs.periodic_job import PeriodicJob, check_cron
from arqlight.journal.journal import Journal, NewJob
from arqlight.journal.keys import KEYS

LONGEST_JITTER_S = 3600
MINUTE_MS = 60_000


async def ensure_schedules(redis: Redis, schedules: Sequence[PeriodicJob]) -> None:
    """Note those that are not there yet; what people changed stays."""
    for schedule in schedules:
        await redis.hsetnx(KEYS["schedules"], schedule.name, json.dumps(asdict(schedule)))  # type: ignore[misc]


async def read_schedules(redis: Redis) -> list[PeriodicJob]:
    """All, by name."""
    raw: dict[bytes, bytes] = await redis.hgetall(KEYS["schedules"])  # type: ignore[misc]
    return [PeriodicJob(**json.loads(entry)) for _, entry in sorted(raw.items())]


async def find_schedule(redis: Redis, name: str) -> PeriodicJob:
    """One. Raises NotFound."""
    raw: bytes | None = await redis.hget(KEYS["schedules"], name)  # type: ignore[misc]
    if raw is None:
        raise NotFound(f"no schedule {name!r}")
    return PeriodicJob(**json.loads(raw))


async def change_schedule(
    redis: Redis, name: str, *, cron: str | None = None, jitter_s: float | None = None, enabled: bool | None = None
) -> tuple[PeriodicJob, PeriodicJob]:
    """Change what is given of a schedule; what it was, and what it is. Raises NotFound, InvalidInput."""
    before = asdict(await find_schedule(redis, name))
    given = {"cron": cron, "jitter_s": jitter_s, "enabled": enabled}
    after = before | {field: value for field, value in given.items() if value is not None}
    check_cron(after["cron"])
    if not 0 <= after["jitter_s"] <= LONGEST_JITTER_S:
        raise InvalidInput("jitter_s", f"{after['jitter_s']:g} is not between 0 and {LONGEST_JITTER_S}")
    if after != before:
        await redis.hset(KEYS["schedules"], name, json.dumps(after))  # type: ignore[misc]
    return PeriodicJob(**before), PeriodicJob(**after)


async def last_jobs(redis: Redis) -> dict[str, str]:
    """The id of each schedule's last job."""
    return {name: entry["job"] for name, entry in (await read_fired(redis)).items()}


async def read_fired(redis: Redis) -> dict[str, dict[str, Any]]:
    raw: dict[bytes, bytes] = await redis.hgetall(KEYS["fired"])  # type: ignore[misc]
    return {name.decode(): json.loads(entry) for name, entry in raw.items()}


async def note_fired(redis: Redis, name: str, due_ms: int, job_id: str) -> None:
    await redis.hset(KEYS["fired"], name, json.dumps({"due": due_ms, "job": job_id}))  # type: ignore[misc]


async def fire_now(redis: Redis, journal: Journal, name: str) -> str:
    """Enqueue a schedule's job at once, besides when it is due; the job's id. Raises NotFound."""
    schedule = await find_schedule(redis, name)
    job_id = (await journal.enqueue([NewJob(schedule.task, schedule.queue, (), schedule.kwargs)]))[0]
    last = (await read_fired(redis)).get(name, {})
    await note_fired(redis, name, last.get("due", timestamp_ms() - MINUTE_MS), job_id)
    return job_id
