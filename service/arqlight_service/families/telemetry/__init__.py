"""Telemetry: what SDKs send."""

from arqlight_service.families.database import check_database, connect_database
from arqlight_service.families.telemetry import api
from arqlight_service.family import ServiceFamily

FAMILY = ServiceFamily(
    name="telemetry", routes=tuple(api.routes), cleanup=(connect_database,), checks=(check_database,)
)
