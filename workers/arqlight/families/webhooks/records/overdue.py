"""Deliveries that nobody attends to: long due, and nothing came of them."""

from datetime import timedelta

from sqlalchemy import func, select, update

from arqlight.families.database import Database
from arqlight.families.webhooks.records.lines import Due, first_in_line
from arqlight.families.webhooks.tables import webhook_deliveries as deliveries

OVERDUE_AFTER_S = 120.0
# A run lasts two days by its schedule, three with Retry-After, and longer behind a breaker; then it counts as failed.
GIVEN_UP_AFTER_D = 14
GROUP = 1_000


async def take(database: Database) -> list[Due]:
    """The oldest of them; their next look is later. Most have a job that waits for a slot: enqueueing tells."""
    async with database.begin() as connection:
        given_up = (deliveries.c.state == "pending") & (
            deliveries.c.run_at < func.now() - timedelta(days=GIVEN_UP_AFTER_D)
        )
        values = {"state": "failed", "next_at": None, "error": "its job was lost or cancelled"}
        await connection.execute(update(deliveries).where(given_up).values(values))
        late = (
            select(deliveries.c.id)
            .where(deliveries.c.state == "pending")
            .where(deliveries.c.next_at < func.now() - timedelta(seconds=OVERDUE_AFTER_S))
            .order_by(deliveries.c.next_at)
            .limit(GROUP)
        )
        ids = list((await connection.execute(late)).scalars())
        await connection.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(next_at=func.now()))
        return await first_in_line(connection, ids)
