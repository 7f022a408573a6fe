"""Events of SDKs, folded as they would be after `POST /api/v1/telemetry`."""

from datetime import UTC, datetime
from typing import Any

from arqlight.families.telemetry.extra_fields import parse_declared
from arqlight.families.telemetry.folding import fold_telemetry
from arqlight.families.telemetry.intake import Hasher, take_in
from arqlight.families.telemetry.settings import TelemetrySettings


def event(number: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": f"e{number}", "device": "machine-1", "product": "quill", "version": "2.0", **more}


async def fold(ctx: dict[str, Any], *events: dict[str, Any], received_at: datetime | None = None) -> dict[str, int]:
    declared = parse_declared(ctx["settings"].of(TelemetrySettings).telemetry_fields)
    intake = take_in(list(events), None, received_at or datetime.now(UTC), Hasher(ctx["keys"]), declared)
    assert intake.refused == []
    counted: dict[str, int] = await fold_telemetry(ctx, intake.events)
    return counted
