"""What a marketplace said, into the table of sales: within the transaction of whoever calls."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import Text, any_, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from arqlight.families.sync.reconcile import COMPARED, difference, reconciled, refunded, too_many_vanished
from arqlight.families.sync.sale import Refund, Sale
from arqlight.families.sync.tables import sales, sync_refunds

# A filter by day, or a clock that is wrong by hours, may leave out the first sales of a span.
SPAN_MARGIN = timedelta(days=1)
_PUT = upsert(sales)
# Somebody else may have put a sale there since we looked: what is newer stands.
_INSERT = _PUT.on_conflict_do_update(
    index_elements=list(sales.primary_key),
    set_={name: _PUT.excluded[name] for name in (*COMPARED, "changed_at", "raw")} | {"synced_at": func.now()},
    where=_PUT.excluded.changed_at.is_(None)
    | sales.c.changed_at.is_(None)
    | (_PUT.excluded.changed_at >= sales.c.changed_at),
)


@dataclass(slots=True)
class Written:
    """What became of some sales."""

    new: int = 0
    changed: int = 0
    vanished: int = 0
    differences: list[dict[str, Any]] = field(default_factory=list)
    note: str | None = None


async def write_sales(
    connection: AsyncConnection, marketplace: str, found: Sequence[Sale], refunds: Sequence[Refund], run_id: int | None
) -> Written:
    """Insert and change what differs. A refund whose sale is not known is kept until it is."""
    written = Written()
    by_id = {sale.id: sale for sale in found}  # of the same sale twice in one page the last one stands
    refund_of = {refund.sale_id: refund for refund in refunds if refund.sale_id not in by_id}
    known = await _known(connection, marketplace, sorted({*by_id, *refund_of}))
    waiting = await _waiting_refunds(connection, marketplace, [each for each in by_id if each not in known])
    fresh: dict[str, dict[str, Any]] = {}
    for sale_id in sorted(by_id):  # in one order everywhere, so that two who write wait for each other and never both
        row = reconciled(known.get(sale_id), by_id[sale_id], waiting.get(sale_id))
        if row is not None and sale_id in known:
            await _change(connection, marketplace, known[sale_id], row, written)
        elif row is not None:
            fresh[sale_id] = row
    await _insert(connection, marketplace, fresh, written)
    if waiting:
        await connection.execute(delete(sync_refunds).where(*_these(sync_refunds, marketplace, list(waiting))))
    for sale_id in sorted(refund_of):
        if sale_id not in known:
            await _keep_refund(connection, marketplace, refund_of[sale_id])
        elif (change := refunded(known[sale_id], refund_of[sale_id])) is not None:
            await _change(connection, marketplace, known[sale_id], change, written)
    if run_id is not None and by_id:
        seen = update(sales).where(*_these(sales, marketplace, list(by_id)))
        await connection.execute(seen.values(seen_by=func.greatest(func.coalesce(sales.c.seen_by, 0), run_id)))
    return written


async def mark_vanished(connection: AsyncConnection, run: RowMapping, most_told: int) -> Written:
    """Sales that a run should have met and did not are missing; they are kept, and come back when they are listed."""
    in_span = [sales.c.marketplace == run["marketplace"]]
    if run["since"] is not None:
        in_span.append(sales.c.sold_at >= run["since"] + SPAN_MARGIN)
    known = [*in_span, sales.c.state != "missing", sales.c.synced_at < run["started_at"]]
    gone = [*known, func.coalesce(sales.c.seen_by, 0) < run["id"]]
    counts = select(func.count().filter(*gone), func.count().filter(*known)).select_from(sales)
    vanished, all_known = (await connection.execute(counts)).one()
    if too_many_vanished(vanished, all_known):
        return Written(
            note=f"{vanished:,} of {all_known:,} known sales were not in the list; that many at once are taken for a "
            "fault of the marketplace, and none was marked as missing"
        )
    written = Written(vanished=vanished)
    if vanished:
        first = select(sales).where(*gone).order_by(sales.c.sale_id).limit(most_told)
        rows = (await connection.execute(first)).mappings()
        written.differences = [difference(row["sale_id"], dict(row), None) for row in rows]
        await connection.execute(update(sales).where(*gone).values(state="missing", synced_at=func.now()))
    return written


def _these(table: Any, marketplace: str, ids: list[str]) -> tuple[Any, Any]:
    return table.c.marketplace == marketplace, table.c.sale_id == any_(literal(ids, ARRAY(Text)))


async def _known(connection: AsyncConnection, marketplace: str, ids: list[str]) -> dict[str, dict[str, Any]]:
    """The rows of these sales, locked: a webhook that writes one of them waits."""
    query = select(sales).where(*_these(sales, marketplace, ids)).order_by(sales.c.sale_id).with_for_update()
    return {row["sale_id"]: dict(row) for row in (await connection.execute(query)).mappings()}


async def _waiting_refunds(connection: AsyncConnection, marketplace: str, ids: list[str]) -> dict[str, Refund]:
    if not ids:
        return {}
    rows = await connection.execute(select(sync_refunds).where(*_these(sync_refunds, marketplace, ids)))
    return {row.sale_id: Refund(row.sale_id, row.refunded_minor, row.state, row.at) for row in rows}


async def _change(
    connection: AsyncConnection, marketplace: str, before: dict[str, Any], row: dict[str, Any], written: Written
) -> None:
    one = update(sales).where(sales.c.marketplace == marketplace, sales.c.sale_id == before["sale_id"])
    await connection.execute(one.values(**row, synced_at=func.now()))
    written.changed += 1
    written.differences.append(difference(before["sale_id"], before, row))


async def _insert(
    connection: AsyncConnection, marketplace: str, fresh: dict[str, dict[str, Any]], written: Written
) -> None:
    rows = [{"marketplace": marketplace, "sale_id": sale_id, **row} for sale_id, row in fresh.items()]
    if rows:
        await connection.execute(_INSERT, rows)
    written.new += len(rows)
    written.differences += [difference(sale_id, None, row) for sale_id, row in fresh.items()]


async def _keep_refund(connection: AsyncConnection, marketplace: str, refund: Refund) -> None:
    values = {"refunded_minor": refund.refunded_minor, "state": refund.state, "at": refund.at}
    kept = upsert(sync_refunds).values(marketplace=marketplace, sale_id=refund.sale_id, **values)
    await connection.execute(
        kept.on_conflict_do_update(
            index_elements=list(sync_refunds.primary_key),
            set_=values,
            where=sync_refunds.c.at <= kept.excluded.at,
        )
    )
