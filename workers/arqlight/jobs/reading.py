"""What one answer may read: so many entries, bytes, and so much of the event loop's time, in slices between which
others are served.

Reading and searching foreign bytes is work of the processor: without a bound, one list over large jobs would keep
everybody else waiting for seconds.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

MOST_ENTRIES = 5_000
MOST_BYTES = 32 * 1024 * 1024
MOST_WORK_S = 1.0
SLICE_S = 0.002


async def _let_others_in() -> None:
    await asyncio.sleep(0)


# How a reader lets others in between two slices; the service has it wait for the asker's turn.
PAUSE: ContextVar[Callable[[], Awaitable[None]]] = ContextVar("pause", default=_let_others_in)


class Reading:
    """What is left for one answer. An answer that `is_over` is cut: it is told where the next one goes on."""

    def __init__(self) -> None:
        self._entries = self._bytes = 0
        self._worked = self._in_slice = 0.0
        self._since = time.perf_counter()

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be read."""
        return self._entries >= MOST_ENTRIES or self._bytes >= MOST_BYTES or self._worked >= MOST_WORK_S

    def begin(self) -> None:
        """Work begins, behind a wait for a server."""
        self._since = time.perf_counter()

    async def spend(self, size: int = 0) -> None:
        """An entry of `size` bytes was read, and looked at."""
        now = time.perf_counter()
        self._entries += 1
        self._bytes += size
        self._worked += now - self._since
        self._in_slice += now - self._since
        if self._in_slice >= SLICE_S:
            self._in_slice = 0.0
            await PAUSE.get()()
        self._since = time.perf_counter()
