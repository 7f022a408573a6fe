"""What has had its time goes: files of exports, deliveries, ids of counted events."""

from typing import Any

from arqlight.families.bulk.exports import remove_expired
from arqlight.families.telemetry.folding import forget_event_ids
from arqlight.families.webhooks.endpoints import forget_deliveries
from arqlight.task import task


@task(queue="sync", tries=3, timeout_s=600)
async def tidy_up(ctx: dict[str, Any]) -> dict[str, int]:
    """Remove what has expired. Returns how much went, by kind."""
    return {
        "exports": await remove_expired(ctx["database"], ctx["settings"]),
        "deliveries": await forget_deliveries(ctx["database"], ctx["settings"].keep_deliveries_d),
        "event_ids": await forget_event_ids(ctx["database"]),
    }
