"""So many at once, over all workers: a slot is taken on the server; one that is never given back runs out."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from arqlight.errors import NotYet
from arqlight.journal.scripting import Scripts
from arqlight.settings import Settings

LONGEST_WAIT_S = 300.0
# A slot that is free in a moment is waited for: to go back costs more than that.
LONGEST_SLEEP_S = 0.5


@asynccontextmanager
async def slot(redis: Redis, settings: Settings, name: str, at_once: int, hold_s: float) -> AsyncIterator[None]:
    """Hold one of `at_once` slots of the limit `name` while the body runs, `hold_s` seconds at most.

    Raises NotYet when none is free within half a second: the job goes back, its attempt not counted, and holds no slot
    of its worker meanwhile.
    """
    scripts, holder = Scripts(redis, settings), secrets.token_hex(8)
    hold_ms, longest_ms = int(hold_s * 1000), int(LONGEST_WAIT_S * 1000)
    left_s = LONGEST_SLEEP_S
    while wait_ms := int(await scripts.run("take_slot", name, at_once, holder, hold_ms, longest_ms)):
        wait_s = wait_ms / 1000 * random.uniform(1, 1.2)  # noqa: S311 - no secret
        left_s -= wait_s
        if left_s < 0:
            raise NotYet(wait_s, f"{name}: {at_once} at once")
        await asyncio.sleep(wait_s)
    try:
        yield
    finally:
        await scripts.run("give_slot", name, holder, hold_ms, longest_ms)
