"""Work that has no end, watched: a background task that ended unseen would be missed long after."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

logger = logging.getLogger("arqlight.background")
PAUSE_S = 1.0
CANCEL_AGAIN_S = 1.0


def keep(what: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
    """A task that does work without an end, until it is cancelled: see `keep_running`."""
    return asyncio.create_task(keep_running(what, work))


async def keep_running(what: str, work: Callable[[], Awaitable[None]], *, may_return: bool = False) -> None:
    """Do `work` until cancelled. When it ends all the same, say so under the name `what`, and begin again.

    A cancellation that nobody asked of this task (of an inner task, of a library's scope) does not end it.
    """
    task = asyncio.current_task()
    while True:
        try:
            await work()
        except BaseException as error:
            # Without a task its event loop is gone. A clean-up that raises stands in the place of the cancellation.
            if task is None or task.cancelling() or asyncio.current_task() is None:
                raise
            logger.error("the %s stopped, starting it again", what, exc_info=error)
        else:
            if may_return:
                return
            logger.error("the %s ended, starting it again", what)
        await asyncio.sleep(PAUSE_S)


async def end(*tasks: asyncio.Future[Any] | None) -> None:
    """Cancel tasks of ours, and return when all have ended, in whatever way.

    A task may meet its cancellation in a clean-up that raises something else, and go on: then it is cancelled again.
    """
    waiting = {task for task in tasks if task is not None}
    while waiting:
        for task in waiting:
            task.cancel()
        done, waiting = await asyncio.wait(waiting, timeout=CANCEL_AGAIN_S)
        for task in done:
            if not task.cancelled():
                task.exception()  # looked at, or asyncio says that nobody did
