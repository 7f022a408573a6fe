"""The transitions of jobs in PostgreSQL: PgQueuer's log, in the order of its ids."""

import asyncio
import contextlib
import time
from functools import partial
from typing import Any

from arqlight.background import end, keep
from arqlight.connections.connection import Transition
from arqlight.connections.database.listener import listen
from arqlight.connections.database.pool import Pool
from arqlight.connections.database.rows import FAILED, STATES, to_ms
from arqlight.jobs.cursors import place
from arqlight.jobs.display import iso
from arqlight.jobs.names import shown_name
from arqlight.jobs.queues import queue_name

# An id of the log that is missing may belong to a transaction that is still under way, or to none. It is waited for as
# long as any transaction from then runs, but no longer than this: one that takes longer is missed here, not in lists.
LONGEST_GAP_S = 5.0


class DatabaseStream:
    """Reads the log behind a cursor; a NOTIFY of PgQueuer's says when there is more."""

    tells = True

    def __init__(self, pool: Pool, keep_events: int) -> None:
        self._pool = pool
        self._keep_events = keep_events
        self._listening: asyncio.Task[None] | None = None
        self._notified = asyncio.Event()
        self._gap: tuple[int, int, float] | None = None  # behind which id, transactions under way then, since when

    async def last_cursor(self) -> str:
        """The place of the newest entry."""
        return str(await self._pool.value("last_cursor"))

    async def can_resume(self, cursor: str) -> bool:
        """Whether the log still has everything behind `cursor`."""
        return bool(await self._pool.value("can_resume", *place(cursor), self._keep_events))

    async def after(self, cursor: str, count: int, *, told: bool = True) -> list[Transition]:
        """The transitions behind `cursor`, oldest first."""
        behind = place(cursor)[0]
        found = []
        for row in await self._pool.rows("transitions", behind, count):
            if behind and row["place"] > behind + 1 and self._may_still_come(behind, row):
                break
            behind = row["place"]
            found.append(_transition(row, told))
        return found

    async def wait(self, cursor: str, longest_ms: int) -> None:
        """Return when something was changed, or when the time is up."""
        if self._listening is None:
            self._listening = keep("listener for notifications", partial(listen, self._pool, self._hear))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest_ms / 1000):
                await self._notified.wait()
        self._notified.clear()

    async def say_watched(self, seconds: int) -> None:
        """Somebody looks at progress, for the next seconds."""
        await self._pool.rows("say_watched", seconds)

    async def close(self) -> None:
        """Stop listening."""
        if self._listening is not None:
            await end(self._listening)
            self._listening = None

    def _may_still_come(self, place: int, row: Any) -> bool:
        if self._gap is None or self._gap[0] != place:
            self._gap = (place, row["next_transaction"], time.monotonic())
            return True
        _, under_way, since = self._gap
        if row["oldest_running"] >= under_way or time.monotonic() - since > LONGEST_GAP_S:
            self._gap = None
            return False
        return True

    def _hear(self, *_: Any) -> None:
        self._notified.set()


def _transition(row: Any, is_told: bool) -> Transition:
    told: dict[str, Any] | None = None
    state, failure = STATES.get(row["status"], row["status"]), row["traceback"] or {}
    cursor = f"{row['place']}-{row['moment']}"
    if is_told:
        told = {
            "job": shown_name(row["id"]),
            "state": state,
            "queue": queue_name(row["queue"]),
            "task": row["task"],
            "attempt": row["attempt"],
            "at": iso(to_ms(row["created"])),
        }
        if FAILED in failure:
            told |= {"error": failure[FAILED], "message": failure.get("exception_message", "")}
    # A retry by hand is written as a job that is enqueued: whether it was in the failed list, the list itself says.
    touches_failed = state in ("failed", "deleted", "queued", "scheduled")
    return Transition(cursor, row["id"], touches_failed, told)
