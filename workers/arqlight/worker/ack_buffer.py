"""Endings gathered into groups: while one group is on its way to the server, the next one fills."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from redis.exceptions import ConnectionError, ResponseError

from arqlight.background import keep_running
from arqlight.connections.connection_errors import SERVER_AWAY
from arqlight.errors import CutOff, Refused, Unusable
from arqlight.journal.journal import Claim, Ending

logger = logging.getLogger("arqlight.worker")
LARGEST_GROUP = 500
MOST_DISCONNECTS = 3
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
# Their kinds are refusals for now, of a server that stays connected.
_CUT_OFF = (ConnectionError, CutOff)


class TakesEndings(Protocol):
    """Where endings are written: the journal of a server, or a database."""

    async def commit(self, worker: str, endings: Sequence[Ending]) -> None:
        """Write down a group. Raises one of SERVER_AWAY or Unusable where it may be sent again, else a refusal."""
        ...

    async def answers(self) -> bool:
        """Whether the server answers at all now."""
        ...


class AckBuffer:
    """A job counts as finished when its group is committed; a server that is away, or refuses for now, is waited for.

    What it refuses permanently is written as a failure with the reason. The worker claims nothing new while more than a
    group waits here, so that group and its slots are the bound.

    :param instead: makes the failure to write in the place of an ending that is refused.
    :param caught_up: called when no more than a group waits any longer.
    """

    def __init__(
        self,
        journal: TakesEndings,
        worker: str,
        instead: Callable[[Ending, Exception], Ending],
        caught_up: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._worker = worker
        self._instead = instead
        self._caught_up = caught_up
        self._waiting: list[tuple[Ending, asyncio.Future[None] | None]] = []
        self._underway: list[tuple[Ending, asyncio.Future[None] | None]] = []
        self._flushing: asyncio.Task[None] | None = None

    @property
    def is_behind(self) -> bool:
        """Whether more waits than the next group takes."""
        return len(self._waiting) > LARGEST_GROUP

    def unwritten(self) -> list[Claim]:
        """The claims of the jobs that ended and are not written down yet."""
        return [ending.claim for ending, _ in (*self._waiting, *self._underway)]

    def submit(self, ending: Ending) -> None:
        """Write `ending` down soon."""
        self._add(ending, None)

    def submitted(self, ending: Ending) -> asyncio.Future[None]:
        """The same, as a future: done when `ending` is written, or what had to stand in its place."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._add(ending, written)
        return written

    async def drain(self) -> None:
        """Return when nothing waits."""
        while self._waiting or self._underway:
            await asyncio.wait({self._write_on()})

    def _add(self, ending: Ending, written: asyncio.Future[None] | None) -> None:
        self._waiting.append((ending, written))
        self._write_on()

    def _write_on(self) -> asyncio.Task[None]:
        if self._flushing is None or self._flushing.done():
            writing = keep_running("writing of finished jobs", self._flush, may_return=True)
            self._flushing = asyncio.create_task(writing)
        return self._flushing

    async def _flush(self) -> None:
        while self._waiting:
            was_behind = self.is_behind
            self._underway, self._waiting = self._waiting[:LARGEST_GROUP], self._waiting[LARGEST_GROUP:]
            try:
                await self._write_underway()
            finally:  # whatever comes up, what is not written yet waits on
                self._waiting, self._underway = self._underway + self._waiting, []
            if was_behind and not self.is_behind:
                self._caught_up()

    async def _write_underway(self) -> None:
        try:
            await self._write([ending for ending, _ in self._underway])
        except Exception:
            # One of them is refused: the others must not go down with it.
            while self._underway:
                await self._write_alone(*self._underway[0])
                del self._underway[0]
            return
        for _, written in self._underway:
            if written:
                _resolve(written, None)
        self._underway = []

    async def _write_alone(self, ending: Ending, written: asyncio.Future[None] | None) -> None:
        problem: Exception | None = None
        try:
            await self._write([ending])
        except Exception as refusal:
            logger.error("the server refused how job %s ended: %s", ending.claim.id, refusal)
            try:
                await self._write([self._instead(ending, refusal)])
            except Exception as error:
                logger.exception("the end of job %s could not be written; it is run again", ending.claim.id)
                problem = error
        if written:
            _resolve(written, problem)

    async def _write(self, endings: list[Ending]) -> None:
        """Raises what the server refuses permanently; one that disconnects at the same bytes each time refuses them."""
        pause_s, disconnects = FIRST_PAUSE_S, 0
        while True:
            try:
                return await self._journal.commit(self._worker, endings)
            except Refused:
                raise
            except (*SERVER_AWAY, Unusable) as error:
                was_cut_off = type(error) in _CUT_OFF
                disconnects = disconnects + 1 if was_cut_off and await self._journal.answers() else 0
                if disconnects == MOST_DISCONNECTS:
                    raise ResponseError(f"it closes the connection each time: {error}") from error
                logger.warning("%d finished jobs wait for the server: %s", len(endings), error)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


def _resolve(written: asyncio.Future[None], error: Exception | None) -> None:
    if written.done():
        return
    if error is None:
        written.set_result(None)
    else:
        written.set_exception(error)
