"""`arqlight worker --processes N`: several worker processes, and one that starts a dead one again."""

import asyncio
import logging
import signal
from collections.abc import Sequence

from arqlight.worker.child import Child

logger = logging.getLogger("arqlight.supervisor")


class Supervisor:
    """Keeps `count` processes of one command alive; it is run with `--exit-with-parent` behind it.

    A child that ends with 0 (a burst is over) stays ended; one that ends with 2 (its settings are wrong) ends all.
    """

    def __init__(self, command: Sequence[str], count: int) -> None:
        self._children = [Child(f"worker process {place}", command, logger.warning) for place in range(1, count + 1)]

    async def run(self) -> int:
        """Until all children ended, or SIGTERM or SIGINT came and they have stopped. Returns the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        return max(await asyncio.gather(*(self._keep_alive(*each) for each in enumerate(self._children, 1))))

    async def _keep_alive(self, place: int, child: Child) -> int:
        code = await child.keep_alive(lambda pid: logger.info("worker process %d is %d", place, pid))
        if code:
            self._stop()
        return code

    def _stop(self) -> None:
        for child in self._children:
            child.stop()
