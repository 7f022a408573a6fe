"""So many at once, over all workers: a slot is taken on the server; one that is never given back runs out."""

import random
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from arqlight.errors import NotYet
from arqlight.journal.scripting import Scripts
from arqlight.settings import Settings

LONGEST_WAIT_S = 300.0
SHORTEST_WAIT_S = 0.05


@asynccontextmanager
async def slot(redis: Redis, settings: Settings, name: str, at_once: int, hold_s: float) -> AsyncIterator[None]:
    """Hold one of `at_once` slots of the limit `name` while the body runs, `hold_s` seconds at most.

    Raises NotYet when none is free: the job goes back and holds no slot of its worker; its attempt is not counted.
    """
    scripts, holder = Scripts(redis, settings), secrets.token_hex(8)
    hold_ms, longest_ms = int(hold_s * 1000), int(LONGEST_WAIT_S * 1000)
    if wait_ms := int(await scripts.run("take_slot", name, at_once, holder, hold_ms, longest_ms)):
        wait_s = max(wait_ms / 1000, SHORTEST_WAIT_S)
        raise NotYet(wait_s * random.uniform(1, 1.2), f"{name}: {at_once} at once")  # noqa: S311 - no secret
    try:
        yield
    finally:
        await scripts.run("give_slot", name, holder, hold_ms, longest_ms)
