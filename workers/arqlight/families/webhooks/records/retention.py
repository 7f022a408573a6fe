"""Events that were kept long enough go, with their deliveries; old secrets and replays as well."""

from datetime import timedelta
from typing import Any

from sqlalchemy import Table, delete, func, select

from arqlight.families.database import Database
from arqlight.families.webhooks.settings import WebhookSettings
from arqlight.families.webhooks.tables import webhook_deliveries as deliveries
from arqlight.families.webhooks.tables import webhook_events as events
from arqlight.families.webhooks.tables import webhook_replays as replays
from arqlight.families.webhooks.tables import webhook_secrets as secrets

GROUP = 1_000
MOST_GROUPS = 1_000  # the rest goes the next day


async def tidy(ctx: dict[str, Any]) -> dict[str, int]:
    """What has had its time goes; how much went, by kind."""
    database: Database = ctx["database"]
    oldest = func.now() - timedelta(days=ctx["settings"].of(WebhookSettings).keep_deliveries_d)
    is_tried = select(deliveries.c.id).where(deliveries.c.message_id == events.c.id, deliveries.c.state == "pending")
    return {
        "webhook_events": await _remove(database, events, (events.c.at < oldest) & ~is_tried.exists()),
        "webhook_secrets": await _remove(database, secrets, secrets.c.until < func.now()),
        "webhook_replays": await _remove(database, replays, replays.c.created_at < oldest),
    }


async def _remove(database: Database, table: Table, is_over: Any) -> int:
    """In groups, a transaction each; how many went."""
    removed = 0
    group = select(table.c.id).where(is_over).limit(GROUP)
    for _ in range(MOST_GROUPS):
        async with database.begin() as connection:
            gone = (await connection.execute(delete(table).where(table.c.id.in_(group)))).rowcount
        removed += gone
        if gone < GROUP:
            break
    return removed
