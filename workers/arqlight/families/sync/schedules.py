"""When the marketplaces are synced, unless people change it."""

from arqlight.families.sync.marketplace import marketplaces
from arqlight.families.sync.syncing import sync_sales
from arqlight.jobs.periodic_job import PeriodicJob
from arqlight.settings import Settings

FULL_HOUR = 2  # UTC


def schedules(settings: Settings) -> list[PeriodicJob]:
    """Two for each marketplace, enabled where its token is set: hourly what is new, nightly every sale."""
    found = []
    for each in marketplaces().values():
        is_enabled, arguments = each.token(settings) is not None, {"marketplace": each.name}
        hourly, nightly = f"{each.minute} * * * *", f"{(each.minute + 10) % 60} {FULL_HOUR} * * *"
        found += [
            PeriodicJob(f"sync-{each.name}", hourly, sync_sales.name, sync_sales.queue, arguments, 300, is_enabled),
            PeriodicJob(
                f"sync-{each.name}-full", nightly, sync_sales.name, sync_sales.queue, {**arguments, "full": True}, 900,
                is_enabled,
            ),
        ]  # fmt: skip
    return found
