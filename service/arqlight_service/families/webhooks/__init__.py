"""Webhooks: endpoints, deliveries and events."""

from arqlight_service.families.database import check_database, connect_database
from arqlight_service.families.webhooks import api, deliveries_api, events_api, pages
from arqlight_service.family import NavigationEntry, ServiceFamily

FAMILY = ServiceFamily(
    name="webhooks",
    routes=(*api.routes, *deliveries_api.routes, *events_api.routes, *pages.routes),
    navigation=(NavigationEntry("/webhooks", "Webhooks", "webhooks"),),
    cleanup=(connect_database,),
    checks=(check_database,),
)
