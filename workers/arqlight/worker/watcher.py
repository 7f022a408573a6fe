"""`arqlight worker --watch`: a worker that is started anew when files change. It needs arqlight[watch]."""

import asyncio
import logging
import signal
from collections.abc import Sequence
from pathlib import Path

from watchfiles import awatch

from arqlight.worker.child import Child

logger = logging.getLogger("arqlight.supervisor")


async def run_watched(command: Sequence[str], folder: Path) -> int:
    """Run a command until SIGTERM or SIGINT, or until it ends by itself; its exit code. A change ends and starts it."""
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    changes = awatch(folder, stop_event=stopping)
    while True:
        child = Child("the worker", command, logger.warning)
        running = asyncio.create_task(child.keep_alive())
        changed = asyncio.create_task(anext(changes, None))
        await asyncio.wait({running, changed}, return_when=asyncio.FIRST_COMPLETED)
        has_ended = running.done()
        stopping_now = stopping.is_set() or has_ended
        if stopping_now:
            stopping.set()
        else:
            logger.info("files changed, reloading arqlight worker")
        child.stop()
        code = await running
        await changed
        if stopping_now:
            return code
