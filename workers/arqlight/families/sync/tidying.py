"""What the sync keeps for a while only, removed once a day."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select

from arqlight.families.database import Database
from arqlight.families.sync.tables import sync_refunds, sync_runs

KEEP_RUNS = timedelta(days=90)
# Longer than anybody may ask for money back: a sale that did not come by then never does.
KEEP_REFUNDS = timedelta(days=400)


async def tidy(ctx: dict[Any, Any]) -> dict[str, int]:
    """Remove old reports, and refunds whose sale never came. The last run of each marketplace that was done stays.

    Returns how many went: `{"sync_runs", "sync_refunds"}`.
    """
    database: Database = ctx["database"]
    if not database.is_set:
        return {}
    now = datetime.now(UTC)
    last_done = select(func.max(sync_runs.c.id)).where(sync_runs.c.state == "done").group_by(sync_runs.c.marketplace)
    old_runs = delete(sync_runs).where(sync_runs.c.touched_at < now - KEEP_RUNS, sync_runs.c.id.not_in(last_done))
    old_refunds = delete(sync_refunds).where(sync_refunds.c.at < now - KEEP_REFUNDS)
    async with database.begin() as connection:
        runs, refunds = [await connection.execute(each) for each in (old_runs, old_refunds)]
    return {"sync_runs": runs.rowcount, "sync_refunds": refunds.rowcount}
