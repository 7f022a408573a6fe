"""`arqlight worker --processes N`: several worker processes, and one that starts a dead one again."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Sequence

logger = logging.getLogger("arqlight.supervisor")
# A child that dies young is started again after a pause that grows, so that a broken application costs no core.
FIRST_PAUSE_S, LONGEST_PAUSE_S, YOUNG_S = 0.5, 30.0, 10.0
EXIT_USAGE = 2


class Supervisor:
    """Keeps `count` processes of one command alive; it is run with `--exit-with-parent` behind it.

    A child that ends with 0 (a burst is over) stays ended; one that ends with 2 (its settings are wrong) ends all.
    """

    def __init__(self, command: Sequence[str], count: int) -> None:
        self._command = command
        self._count = count
        self._stopping = asyncio.Event()

    async def run(self) -> int:
        """Until all children ended, or SIGTERM or SIGINT came and they have stopped. Returns the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)
        codes = await asyncio.gather(*(self._keep_alive(place) for place in range(1, self._count + 1)))
        return max(codes)

    async def _keep_alive(self, place: int) -> int:
        pause_s = FIRST_PAUSE_S
        while True:
            began = asyncio.get_running_loop().time()
            code = await self._run_child(place)
            if self._stopping.is_set() or code == 0:
                return 0 if code <= 0 else code
            if code == EXIT_USAGE:
                self._stopping.set()
                return code
            lived_s = asyncio.get_running_loop().time() - began
            pause_s = FIRST_PAUSE_S if lived_s >= YOUNG_S else min(pause_s * 2, LONGEST_PAUSE_S)
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            logger.warning("worker process %d %s after %.1f s; another in %.1f s", place, how, lived_s, pause_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._stopping.wait()
                    return 0

    async def _run_child(self, place: int) -> int:
        """One child from start to end; its exit code, as asyncio gives it (a signal's number is negative)."""
        # A session of its own: Ctrl-C reaches only us. Its standard input closes when we are gone, and it stops itself.
        child = await asyncio.create_subprocess_exec(
            *self._command, "--exit-with-parent",
            stdin=asyncio.subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        logger.info("worker process %d is %d", place, child.pid)
        ended, asked = asyncio.create_task(child.wait()), asyncio.create_task(self._stopping.wait())
        await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not ended.done():
            child.terminate()
        return await ended
