"""A sync against the marketplaces of `support/marketplaces.py`, run as a worker would: again whenever it asks for that."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from arqlight.checked_fields import Secret
from arqlight.errors import NotYet
from arqlight.families.database import Database
from arqlight.families.sync.marketplace import marketplaces
from arqlight.families.sync.syncing import sync_sales
from arqlight.families.sync.tables import sales
from tests.support.marketplaces import SALE_OF, Marketplaces

Family = Callable[..., Awaitable[dict[str, Any]]]
MOST_ATTEMPTS = 50
FAST = 600_000  # pages a minute: a test does not wait for turns


def read_fast(patch: pytest.MonkeyPatch) -> None:
    """Let the marketplaces be read as fast as they answer."""
    for name, each in list(marketplaces().items()):
        patch.setitem(marketplaces(), name, replace(each, pages_a_minute=FAST))


class Syncing:
    """Runs syncs; `waits_s` are those that it was asked to wait, each moves the marketplaces' clock."""

    def __init__(self, family: Family, market: Marketplaces) -> None:
        self._family = family
        self.market = market
        self.waits_s: list[float] = []

    async def once(self, marketplace: str, *, full: bool = False, job_id: str = "", **changes: Any) -> dict[str, Any]:
        """One attempt. Raises what it raises."""
        at = {f"{name}_url": self.market.url for name in SALE_OF}
        tokens = {f"{name}_token": Secret("right-token") for name in SALE_OF}
        attempt = {name: changes.pop(name) for name in ("job_try", "override") if name in changes}
        ctx = await self._family(**{**at, **tokens, **changes})
        ctx |= attempt | ({"job_id": job_id} if job_id else {})
        report: dict[str, Any] = await sync_sales(ctx, marketplace, full)
        return report

    async def __call__(self, marketplace: str, **options: Any) -> dict[str, Any]:
        """Attempts until the job ends, waiting by the marketplaces' clock."""
        for _ in range(MOST_ATTEMPTS):
            try:
                return await self.once(marketplace, **options)
            except NotYet as wait:
                self.waits_s.append((wait.defer_score or 0) / 1000)
                self.market.clock_s += self.waits_s[-1]
        raise AssertionError(f"it does not come to an end in {MOST_ATTEMPTS} attempts")


async def rows(database: Database, marketplace: str | None = None) -> dict[str, Any]:
    """The table of sales, by id."""
    async with database.begin() as connection:
        found = (await connection.execute(select(sales).order_by(sales.c.sale_id))).all()
    return {row.sale_id: row for row in found if marketplace in (None, row.marketplace)}
