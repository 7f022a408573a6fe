"""So many a minute, over all workers: a turn is taken on the server."""

import asyncio
import random

from redis.asyncio import Redis

from arqlight.errors import NotYet
from arqlight.journal.scripting import Scripts
from arqlight.settings import Settings

LONGEST_SLEEP_S = 2.0


async def take_turn(redis: Redis, settings: Settings, name: str, per_minute: int, *, burst: int | None = None) -> None:
    """Return when it is this job's turn under the limit `name`.

    :param burst: how many may go at once, by default a tenth of `per_minute`. Under one limit those with the larger
        burst go first: they take turns that the others still wait for, and the others wait longer.

    Raises NotYet when the turn is more than two seconds away: the job goes back, its attempt not counted.
    """
    scripts = Scripts(redis, settings)
    at_once = max(1, per_minute // 10) if burst is None else burst
    while wait_ms := int(await scripts.run("take_turn", name, per_minute, at_once)):
        wait_s = wait_ms / 1000
        if wait_s > LONGEST_SLEEP_S:
            # Spread out, or all who wait would come back at once.
            raise NotYet(wait_s * random.uniform(1, 2), f"{name}: {per_minute} a minute")  # noqa: S311 - no secret
        await asyncio.sleep(wait_s * random.uniform(1, 1.3))  # noqa: S311 - no secret
