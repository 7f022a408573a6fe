"""How long a call to a server may take. A connection can go silent: it stays open, and nothing ever comes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

CALL_S = 10.0  # one command, or one script
SEVERAL_CALLS_S = 30.0  # a few one after another


@contextlib.asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[None]:
    """Raise TimeoutError in the body when it takes longer.

    The time runs out in two halves: after an event loop that was blocked for longer, what came in the meantime is read
    before the body is given up.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit:
        half = loop.call_later(seconds / 2, lambda: limit.reschedule(loop.time() + seconds / 2))
        try:
            yield
        finally:
            half.cancel()
