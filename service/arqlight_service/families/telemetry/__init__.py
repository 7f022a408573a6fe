"""Telemetry: what SDKs send, and what it tells."""

from arqlight_service.families.database import check_database, connect_database
from arqlight_service.families.telemetry import api, pages, reading_api, subjects_api
from arqlight_service.family import NavigationEntry, ServiceFamily

FAMILY = ServiceFamily(
    name="telemetry",
    routes=(*api.routes, *reading_api.routes, *subjects_api.routes, *pages.routes),
    navigation=(NavigationEntry("/telemetry", "Telemetry", "telemetry"),),
    cleanup=(connect_database,),
    checks=(check_database,),
)
