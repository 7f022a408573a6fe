"""When the marketplaces are synced, unless people change it."""

from arqlight.families.sync.settings import SyncSettings
from arqlight.families.sync.syncing import sync_sales
from arqlight.jobs.periodic_job import PeriodicJob
from arqlight.settings import Settings


def schedules(settings: Settings) -> list[PeriodicJob]:
    """One for each marketplace; enabled where its token is set."""
    tokens = settings.of(SyncSettings)
    return [
        PeriodicJob(
            f"sync-{name}", cron, sync_sales.name, sync_sales.queue, {"marketplace": name}, 300, token is not None
        )
        for name, cron, token in (
            ("envato", "17 * * * *", tokens.envato_token),
            ("gumroad", "47 * * * *", tokens.gumroad_token),
        )
    ]
