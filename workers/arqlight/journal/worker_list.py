"""The workers: who lives, what each runs now and since when, and who stopped without notice."""

import json
from typing import Any

from redis.asyncio import Redis

from arqlight.jobs.display import iso
from arqlight.jobs.job import read_line, read_record
from arqlight.jobs.names import read_name, shown_name
from arqlight.jobs.queues import queue_name
from arqlight.journal.keys import KEYS

MOST_RUNNING_SHOWN = 20


async def read_workers(redis: Redis) -> list[dict[str, Any]]:
    """The workers whose lease runs, the oldest first, each with what it says of itself and what it runs."""
    ids = await redis.zrangebyscore(KEYS["workers"], await _server_ms(redis), "+inf")
    return sorted(await _describe(redis, [worker.decode() for worker in ids], True), key=lambda one: one["started_at"])


async def read_dead_workers(redis: Redis) -> list[dict[str, Any]]:
    """The workers that died within the hour, the last one first: killed, out of memory, or cut off."""
    now = await _server_ms(redis)
    lapsed = await redis.zrangebyscore(KEYS["workers"], "-inf", now)  # not rescued yet
    found = await redis.zrevrangebyscore(KEYS["dead"], "+inf", now - 3_600_000)
    ids = dict.fromkeys(worker.decode() for worker in (*lapsed, *found))
    return await _describe(redis, list(ids), False)


async def _server_ms(redis: Redis) -> int:
    """Now, by the clock that leases are written with: this machine's may be off."""
    seconds, micros = await redis.time()
    return int(seconds) * 1000 + int(micros) // 1000


async def _describe(redis: Redis, ids: list[str], is_alive: bool) -> list[dict[str, Any]]:
    async with redis.pipeline(transaction=False) as pipe:
        for worker in ids:
            pipe.hgetall(KEYS["worker"] + worker)
            pipe.scard(KEYS["claimed"] + worker)
            pipe.srandmember(KEYS["claimed"] + worker, MOST_RUNNING_SHOWN)
        answers = await pipe.execute()
    return [
        _worker(worker, read_record(raw), running, await _running(redis, claimed), is_alive)
        for worker, raw, running, claimed in zip(ids, answers[::3], answers[1::3], answers[2::3], strict=True)
    ]


async def _running(redis: Redis, ids: list[bytes]) -> list[dict[str, Any]]:
    """What runs: `{"id", "task", "started_at"}`, the oldest first."""
    if not ids:
        return []
    lines: list[bytes | None] = await redis.hmget(KEYS["lines"], ids)  # type: ignore[misc]
    records = [
        (shown_name(read_name(job_id)), read_line(line)) for job_id, line in zip(ids, lines, strict=True) if line
    ]
    shown = [
        {"id": job_id, "task": record.get("task") or "?", "started_at": iso(int(record["started_at"]))}
        for job_id, record in records
        if record["state"] == "processing"
    ]
    return sorted(shown, key=lambda job: job["started_at"])


def _worker(
    worker: str, record: dict[str, str], running: int, jobs: list[dict[str, Any]], is_alive: bool
) -> dict[str, Any]:
    return {
        "id": worker,
        "alive": is_alive,
        "host": record.get("host"),
        "pid": int(record.get("pid", 0)),
        "version": record.get("version"),
        "queues": [queue_name(key) for key in json.loads(record.get("queues", "[]"))],
        "tasks": json.loads(record.get("tasks", "[]")),
        "crons": json.loads(record.get("crons", "[]")),
        "max_jobs": int(record.get("max_jobs", 0)),
        "running": running,
        "jobs": jobs,
        "memory_bytes": int(record.get("memory_bytes", 0)),
        "aborts": record.get("aborts") == "1",
        "started_at": iso(int(record.get("started_at", 0))),
        "seen_at": iso(int(record.get("seen_at", 0))),
    }
