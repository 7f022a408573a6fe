"""Telemetry: what SDKs tell of the devices they run on and how they are used."""

from arqlight.families.telemetry.settings import TelemetrySettings
from arqlight.family import Family

FAMILY = Family(
    name="telemetry",
    tasks=("arqlight.families.telemetry.folding:fold_telemetry",),
    settings=TelemetrySettings,
    tidy="arqlight.families.telemetry.retention:tidy",
    exports="arqlight.families.telemetry.tables:EXPORTS",
)
