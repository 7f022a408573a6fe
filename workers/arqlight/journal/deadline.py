"""How long a call to a server may take. A connection can go silent: it stays open, and nothing ever comes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

CALL_S = 10.0  # one command, or one script
SEVERAL_CALLS_S = 30.0  # a few one after another


class deadline:  # noqa: N801 - used as `asyncio.timeout` is; a class, for a generator costs more than what it guards
    """Raise TimeoutError in the body when it takes longer than so many seconds.

    The time runs out in two halves: after an event loop that was blocked for longer, what came in the meantime is read
    before the body is given up.
    """

    __slots__ = ("_first_half", "_half_s", "_limit", "_loop")

    def __init__(self, seconds: float) -> None:
        self._half_s = seconds / 2
        self._limit = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._first_half = self._loop.call_later(self._half_s, self._begin_second_half)
        await self._limit.__aenter__()

    async def __aexit__(self, *raised: Any) -> None:
        self._first_half.cancel()
        await self._limit.__aexit__(*raised)

    def _begin_second_half(self) -> None:
        self._limit.reschedule(self._loop.time() + self._half_s)


@contextlib.asynccontextmanager
async def quiet_for(seconds: float) -> AsyncIterator[Callable[[], None]]:
    """Raise TimeoutError in the body when it did not call what it is given for so long.

    A call costs no timer: the one timer looks, when it is due, how long the last call is ago.
    """
    loop = asyncio.get_running_loop()
    last_s, timer = loop.time(), loop.call_later(seconds, lambda: look())

    def heard() -> None:
        nonlocal last_s
        last_s = loop.time()

    def look() -> None:
        nonlocal timer
        left_s = last_s + seconds - loop.time()
        if left_s <= 0:
            limit.reschedule(loop.time())
        else:
            timer = loop.call_later(left_s, look)

    try:
        async with asyncio.timeout(None) as limit:
            yield heard
    finally:
        timer.cancel()
