"""The sync of marketplaces."""

from arqlight_service.families.database import check_database, connect_database
from arqlight_service.families.sync import api, pages
from arqlight_service.family import NavigationEntry, ServiceFamily

FAMILY = ServiceFamily(
    name="sync",
    routes=(*api.routes, *pages.routes),
    navigation=(NavigationEntry("/sync", "Sync", "sync"),),
    cleanup=(connect_database,),
    checks=(check_database,),
)
