"""One run of a sync: page by page into the table of sales, each page and the cursor in one transaction."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
from sqlalchemy import Boolean, func, insert, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from arqlight.errors import PermanentFailure
from arqlight.families.database import Database
from arqlight.families.sync.envato import Envato
from arqlight.families.sync.gumroad import Gumroad
from arqlight.families.sync.marketplace import Marketplace, Page, Sale
from arqlight.families.sync.tables import sales, sync_cursors, sync_runs
from arqlight.runtime.rate_limits import take_turn
from arqlight.settings import Settings
from arqlight.tasks import Backoff, task

MARKETPLACES: dict[str, Callable[[aiohttp.ClientSession, Settings], Marketplace]] = {
    "envato": Envato,
    "gumroad": Gumroad,
}
PAGES_A_MINUTE = 60
MOST_REFUSED_KEPT = 100
# xmax is 0 in a row that was inserted, and names the transaction in one that was updated.
_IS_NEW = literal_column("(sales.xmax = 0)", Boolean)
_COMPARED = ("product", "buyer", "amount", "currency", "licence", "refunded", "sold_at")


class UnknownMarketplace(PermanentFailure):
    """No marketplace of this name."""


@task(queue="sync", tries=8, timeout_s=3600, backoff=Backoff(first_s=10, longest_s=1800))
async def sync_sales(ctx: dict[str, Any], marketplace: str) -> dict[str, Any]:
    """Bring the sales of a marketplace up to date. Run again, it changes nothing.

    Returns the report: `{"seen", "new", "changed", "refused"}`. A missing or refused token fails at once; 429 waits as
    long as the marketplace asks, and no attempt is counted for that.
    """
    if marketplace not in MARKETPLACES:
        raise UnknownMarketplace(f"no marketplace {marketplace!r}; there are {', '.join(MARKETPLACES)}")
    database: Database = ctx["database"]
    place = MARKETPLACES[marketplace](ctx["marketplaces"], ctx["settings"])
    run_id, cursor = await _begin(database, marketplace, ctx["job_id"])
    report: dict[str, Any] = {"seen": 0, "new": 0, "changed": 0, "refused": []}
    error: str | None = None
    try:
        await take_turn(ctx["redis"], ctx["settings"], f"sync {marketplace}", PAGES_A_MINUTE)
        async for page in place.pages(cursor):
            await _write(database, marketplace, page, report)
            ctx["progress"](report["seen"], report["seen"] + 1 if page.cursor is None else report["seen"], "sales")
            await take_turn(ctx["redis"], ctx["settings"], f"sync {marketplace}", PAGES_A_MINUTE)
    except (Exception, asyncio.CancelledError) as problem:
        error = f"{type(problem).__name__}: {getattr(problem, 'why', '') or problem}"
        raise
    finally:
        await asyncio.shield(_end(database, run_id, report, error))
    return {**report, "refused": len(report["refused"])}


async def list_runs(database: Database, marketplace: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
    """The newest runs with their reports."""
    query = select(sync_runs).order_by(sync_runs.c.id.desc()).limit(limit)
    if marketplace:
        query = query.where(sync_runs.c.marketplace == marketplace)
    async with database.begin() as connection:
        rows = (await connection.execute(query)).all()
    return [
        {**row._mapping, "started_at": row.started_at.isoformat(timespec="milliseconds"),
         "finished_at": row.finished_at.isoformat(timespec="milliseconds") if row.finished_at else None}
        for row in rows
    ]  # fmt: skip


async def _begin(database: Database, marketplace: str, job_id: str) -> tuple[int, str | None]:
    async with database.begin() as connection:
        run = insert(sync_runs).values(marketplace=marketplace, job_id=job_id).returning(sync_runs.c.id)
        run_id = (await connection.execute(run)).scalar_one()
        kept = select(sync_cursors.c.cursor).where(sync_cursors.c.marketplace == marketplace)
        return int(run_id), (await connection.execute(kept)).scalar_one_or_none()


async def _end(database: Database, run_id: int, report: dict[str, Any], error: str | None) -> None:
    told = {**report, "refused": report["refused"][:MOST_REFUSED_KEPT], "error": error, "finished_at": func.now()}
    async with database.begin() as connection:
        await connection.execute(update(sync_runs).where(sync_runs.c.id == run_id).values(told))


async def _write(database: Database, marketplace: str, page: Page, report: dict[str, Any]) -> None:
    # The same sale twice in one page would be one statement's trouble: the last one stands.
    rows = [_row(marketplace, sale) for sale in {sale.id: sale for sale in page.sales}.values()]
    new = changed = 0
    async with database.begin() as connection:
        if rows:
            put = upsert(sales).values(rows)
            differs = or_(*(sales.c[name].is_distinct_from(put.excluded[name]) for name in _COMPARED))
            written = put.on_conflict_do_update(
                index_elements=list(sales.primary_key),
                set_={name: put.excluded[name] for name in (*_COMPARED, "raw")} | {"synced_at": func.now()},
                where=differs,
            )
            fresh = list((await connection.execute(written.returning(_IS_NEW))).scalars())
            new, changed = sum(fresh), len(fresh) - sum(fresh)
        if page.cursor is not None:
            moved = upsert(sync_cursors).values(marketplace=marketplace, cursor=page.cursor)
            await connection.execute(
                moved.on_conflict_do_update(
                    index_elements=[sync_cursors.c.marketplace],
                    set_={"cursor": moved.excluded.cursor, "at": func.now()},
                )
            )
    report["seen"] += len(page.sales) + len(page.refused)
    report["new"] += new
    report["changed"] += changed
    report["refused"] += page.refused[: MOST_REFUSED_KEPT - len(report["refused"])]


def _row(marketplace: str, sale: Sale) -> dict[str, Any]:
    values = {name: getattr(sale, name) for name in (*_COMPARED, "raw")}
    return {"marketplace": marketplace, "sale_id": sale.id, **values}
