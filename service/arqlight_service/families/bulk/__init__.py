"""Bulk operations: licence keys, exports and their downloads."""

from arqlight_service.families.bulk import api, pages
from arqlight_service.families.database import check_database, connect_database
from arqlight_service.family import NavigationEntry, ServiceFamily

FAMILY = ServiceFamily(
    name="bulk",
    routes=(*api.routes, *pages.routes),
    navigation=(NavigationEntry("/bulk", "Bulk", "bulk"),),
    cleanup=(connect_database,),
    checks=(check_database,),
)
