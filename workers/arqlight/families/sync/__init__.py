"""Sync: sales of marketplaces, periodically, into one table."""

from arqlight.families.sync.settings import SyncSettings
from arqlight.family import Family

FAMILY = Family(
    name="sync",
    tasks=("arqlight.families.sync.syncing:sync_sales",),
    settings=SyncSettings,
    schedules="arqlight.families.sync.schedules:schedules",
    on_startup="arqlight.families.sync.clients:open_clients",
    on_shutdown="arqlight.families.sync.clients:close_clients",
    tidy="arqlight.families.sync.tidying:tidy",
    exports="arqlight.families.sync.tables:EXPORTS",
)
