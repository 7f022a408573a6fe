"""Work that has no end, watched: a background task that ended unseen would be missed long after."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger("arqlight.background")
PAUSE_S = 1.0


async def keep_running(what: str, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work` until cancelled. When it ends all the same, say so under the name `what`, and begin again."""
    while True:
        try:
            await work()
        except Exception:
            logger.exception("the %s stopped, starting it again", what)
        else:
            logger.error("the %s ended, starting it again", what)
        await asyncio.sleep(PAUSE_S)
