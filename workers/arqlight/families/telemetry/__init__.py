"""Telemetry: what SDKs tell of the devices they run on and how they are used."""

from arqlight.family import Family

FAMILY = Family(
    name="telemetry",
    tasks=("arqlight.families.telemetry.folding:fold_telemetry",),
    tidy="arqlight.families.telemetry.folding:tidy",
    exports="arqlight.families.telemetry.tables:EXPORTS",
)
