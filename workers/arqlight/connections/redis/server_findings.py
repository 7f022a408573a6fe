"""What the doctor finds about a Redis or Valkey server."""

import time

from redis.asyncio import Redis
from redis.exceptions import RedisError

from arqlight.connections.finding import Finding, note, trouble
from arqlight.connections.redis.server_health import coming_trouble

LONGEST_SKEW_S = 1.0


async def server_findings(redis: Redis, where: str) -> list[Finding]:
    """What it has coming, its append-only file, its notifications and its clock. `where` names it in words."""
    found = [trouble("server", f"{where}: {sentence}") for sentence in await coming_trouble(redis)]
    return [*found, *await _of_configuration(redis, where), *await _of_clock(redis, where)]


async def _of_configuration(redis: Redis, where: str) -> list[Finding]:
    found = []
    try:
        flags = str((await redis.config_get("notify-keyspace-events")).get("notify-keyspace-events", ""))
        appends = str((await redis.config_get("appendonly")).get("appendonly", ""))
        if appends == "no":
            found.append(note("not durable", f"{where} keeps no append-only file: a crash loses the jobs since its "
                                "last snapshot; set appendonly yes"))  # fmt: skip
        is_told = "E" in flags and bool({"z", "A"} & set(flags))
    except RedisError:  # managed servers may refuse CONFIG
        is_told = False
    if not is_told:
        found.append(note("no notifications", f"{where} does not tell when jobs come: those of plain arq clients are "
                            "polled for; set notify-keyspace-events Ez"))  # fmt: skip
    return found


async def _of_clock(redis: Redis, where: str) -> list[Finding]:
    before = time.time()
    seconds, micros = await redis.time()
    skew_s = (seconds + micros / 1e6) - (before + time.time()) / 2
    if abs(skew_s) <= LONGEST_SKEW_S:
        return []
    return [trouble("clock", f"{where}: its clock is {skew_s:+.1f} s from this machine's: jobs of plain arq clients "
                    "come due early or late; keep both by NTP")]  # fmt: skip
