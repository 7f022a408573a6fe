"""What can be set for telemetry."""

from dataclasses import dataclass

from arqlight.checked_fields import option
from arqlight.families.telemetry.extra_fields import parse_declared
from arqlight.families.telemetry.keeping import parse_days
from arqlight.settings import FamilySettings


@dataclass(frozen=True)
class TelemetrySettings(FamilySettings):
    """Extra fields of events, and how long devices and usage are kept."""

    telemetry_fields: str = option(
        "{}",
        'Extra fields of events that are kept, by product, * for all: {"quill": {"os": "text", "cores": "number"}}; '
        "types are text, number and boolean.",
        check=parse_declared,
    )
    telemetry_keep_d: str = option(
        "*=730",
        "Days that usage is kept, and devices after their last event, by product, * for all others: *=730,quill=90.",
        check=parse_days,
    )
