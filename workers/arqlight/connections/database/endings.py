"""How attempts ended, written in PgQueuer's stead: with what it does not keep, and only by who holds the job."""

import uuid
from collections.abc import Sequence
from typing import Any

from arqlight.connections.database.pool import Pool
from arqlight.connections.database.rows import bounded_delay_ms, traceback_of
from arqlight.connections.database.tokens import read_token
from arqlight.errors import Unusable
from arqlight.journal.deadline import CALL_S
from arqlight.journal.journal import Ending

UNCOUNTED = {"reason": "unclaimed"}  # a traceback of no failure: the job goes back as if it had never begun
STATUSES = {"succeeded": "successful", "cancelled": "canceled"}  # as PgQueuer calls them


class Endings:
    """Writes endings in groups; a job that was given to another worker meanwhile is not this one's to end."""

    def __init__(self, pool: Pool, manager: uuid.UUID) -> None:
        self._pool = pool
        self._manager = manager

    async def commit(self, worker: str, endings: Sequence[Ending]) -> None:
        """Write down a group: those that ended alike in one statement. Raises Unusable, Refused permanently."""
        by_kind: dict[str, list[Ending]] = {}
        for ending in endings:
            by_kind.setdefault(ending.kind, []).append(ending)
        for kind, group in by_kind.items():
            async with self._pool.within(CALL_S):
                await self._write(kind, group, worker)

    async def answers(self) -> bool:
        """Whether the server answers at all now."""
        try:
            async with self._pool.within(CALL_S):
                return bool(await self._pool.value("server_version"))
        except Unusable:
            return False

    async def _write(self, kind: str, group: Sequence[Ending], worker: str) -> None:
        places = [read_token(ending.claim.token) for ending in group]
        numbers, claims = [number for number, _ in places], [moment for _, moment in places]
        if kind in STATUSES:
            results = [ending.result or None for ending in group]
            await self._pool.rows("finish", numbers, claims, results, STATUSES[kind], self._manager, worker)
            return
        told = [_told(ending, number) for ending, number in zip(group, numbers, strict=True)]
        if kind == "failed":
            await self._pool.rows("fail", numbers, claims, told, self._manager)
            return
        delays = [bounded_delay_ms(ending.delay_ms) for ending in group]
        most_uncounted = [ending.most_uncounted for ending in group]
        await self._pool.rows("reschedule", numbers, claims, delays, told, most_uncounted, self._manager)


def _told(ending: Ending, number: int) -> dict[str, Any]:
    return traceback_of(ending.failure, number) if ending.failure else UNCOUNTED
