"""A command as a process of its own that is started again when it dies."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence

# A child that dies young is started again after a pause that grows, so that a broken application costs no core.
FIRST_PAUSE_S, LONGEST_PAUSE_S, YOUNG_S = 0.5, 30.0, 10.0
STOP_TIMEOUT_S = 20.0
EXIT_USAGE = 2


class Child:
    """Runs in a session of its own, so that Ctrl-C reaches only us; its standard input closes when we are gone.

    :param name: what it is called where something is said of it.
    :param say: takes a line on what happens to it.
    :param may_end: whether it stays ended when it ends with 0 (a burst is over); one that ends with 2 always does.
    :param must_begin: whether it stays ended when the first process ends at once with an error.
    :param longest_stop_s: how long it may take to stop before it is killed; None: as long as it likes.
    :param stdout: as `subprocess` has it.
    """

    def __init__(
        self, name: str, command: Sequence[str], say: Callable[[str], None], *, may_end: bool = True,
        must_begin: bool = False, environment: Mapping[str, str] | None = None, stdout: int | None = None,
        longest_stop_s: float | None = None,
    ) -> None:  # fmt: skip
        self._name = name
        self._command = command
        self._say = say
        self._may_end = may_end
        self._must_begin = must_begin
        self._environment = environment
        self._stdout = stdout
        self._longest_stop_s = longest_stop_s
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End it, and start no other."""
        self._stopping.set()

    async def keep_alive(self, started: Callable[[int], None] = lambda pid: None) -> int:
        """Until it has stopped, or ended for a reason of its own; its exit code, 0 when it was stopped.

        :param started: is told each process' id.
        """
        pause_s = FIRST_PAUSE_S
        while True:
            began = asyncio.get_running_loop().time()
            code = await self._run(started)
            if self._stopping.is_set():
                return max(code, 0)
            lived_s = asyncio.get_running_loop().time() - began
            if code == EXIT_USAGE or (code == 0 and self._may_end):
                return code
            if self._must_begin and code > 0 and lived_s < YOUNG_S:
                self._say(f"{self._name} ended with exit code {code} at its start; stopping")
                return code
            self._must_begin = False
            pause_s = FIRST_PAUSE_S if lived_s >= YOUNG_S else min(pause_s * 2, LONGEST_PAUSE_S)
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            self._say(f"{self._name} {how} after {lived_s:.1f} s; another in {pause_s:.1f} s")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._stopping.wait()
                    return 0

    async def _run(self, started: Callable[[int], None]) -> int:
        """One process from start to end; its exit code, as asyncio gives it (a signal's number is negative)."""
        process = await asyncio.create_subprocess_exec(
            *self._command, "--exit-with-parent", env=self._environment, stdin=asyncio.subprocess.PIPE,
            stdout=self._stdout, start_new_session=True,
        )  # fmt: skip
        started(process.pid)
        ended, asked = asyncio.create_task(process.wait()), asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
            if not ended.done():
                process.terminate()
        try:
            async with asyncio.timeout(self._longest_stop_s):
                return await asyncio.shield(ended)
        except TimeoutError:
            self._say(f"{self._name} did not stop in {self._longest_stop_s:g} s and is killed")
            process.kill()
            return await ended
