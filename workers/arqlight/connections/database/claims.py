"""What one worker holds of a database: takes jobs, learns which were called off, gives back, leaves."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from arqlight.connections.database.pool import Pool, query
from arqlight.connections.database.rows import to_ms
from arqlight.connections.database.tokens import read_token, token_of
from arqlight.jobs.queues import queue_key
from arqlight.journal.journal import Claim
from arqlight.journal.scripting import LEASE_MS


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of one worker. `manager` is who it is in PgQueuer's table, `about` what it says of itself."""

    pool: Pool
    worker: str
    manager: uuid.UUID
    about: Callable[[], dict[str, Any]]
    keeps_to_own: bool

    async def take(
        self,
        queues: Sequence[str],
        shares: Sequence[int],
        slots: int,
        chosen: Mapping[str, int | None],
        one_by_one: bool,
    ) -> list[Claim]:
        """Up to `slots` due jobs of `queues` (by name), each of which gives up to its share first. Raises Unusable.

        :param chosen: limits of queues as set on the page; they go before those that workers declare.
        :param one_by_one: whether some of the queues are limited, so that no two claims may count at once.
        """
        about = self.about()
        limits = [chosen.get(queue) for queue in queues], [about["limits"].get(queue) for queue in queues]
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context(self.pool.acquire())
            if one_by_one:
                await stack.enter_async_context(connection.transaction())
                await connection.execute(query("lock_limits"), sorted(queues))
            rows = await connection.fetch(
                query("claim"), self.worker, self.manager, about, LEASE_MS / 1000, queues, shares, slots,
                about["tasks"], self.keeps_to_own, *limits,
            )  # fmt: skip
        return [_claim(row) for row in rows]

    async def due_in_s(self, queues: Sequence[str]) -> float | None:
        """In how many seconds the next job is due that this worker may take; None where none waits. Raises Unusable."""
        due_s = await self.pool.value("waiting", self.worker, queues, self.about()["tasks"], self.keeps_to_own)
        return None if due_s is None else float(due_s)

    async def are_limited(self, queues: Sequence[str]) -> bool:
        """Whether a living worker limits how many jobs of one of these may run at once. Raises Unusable."""
        return bool(await self.pool.rows("limited", queues))

    async def recalled(self) -> set[str]:
        """The tokens of those jobs that were called off while they run here. Raises Unusable."""
        return {token_of(row["number"], row["claimed"]) for row in await self.pool.rows("recalled", self.manager)}

    async def give_back(self, known: Sequence[Claim]) -> int:
        """Put back what is held but not `known`, its attempt not counted; how many went back. Raises Unusable."""
        places = [read_token(claim.token) for claim in known]
        numbers, moments = [number for number, _ in places], [moment for _, moment in places]
        return int(await self.pool.value("give_back", self.manager, numbers, moments))

    async def leave(self) -> None:
        """Take the worker off the list, then give back what it still holds. Raises Unusable."""
        await self.pool.rows("leave", self.worker)
        await self.give_back([])


def _claim(row: Any) -> Claim:
    headers: dict[str, Any] = row["headers"] or {}
    has_begun = bool(row["attempts"] or "uncounted" in headers)
    expires = timedelta(milliseconds=float(headers["expires_ms"])) if "expires_ms" in headers else None
    is_expired = expires is not None and row["claimed"] - row["execute_after"] > expires and not has_begun
    return Claim(
        id=row["id"],
        queue=queue_key(row["queue"]),
        payload=None if is_expired else row["payload"],
        attempt=row["attempts"] + 1,
        token=token_of(row["number"], row["claimed"]),
        score=to_ms(row["execute_after"]),
        aborted="recalled" in headers,
        lost=str(headers.get("lost", 0)) if has_begun else "-",
    )
