"""Usage and devices that were kept long enough go, and ids of events that are too old to come again."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, func, select, tuple_

from arqlight.families.database import Database
from arqlight.families.telemetry.intake import LATEST
from arqlight.families.telemetry.keeping import OTHERS, parse_days
from arqlight.families.telemetry.settings import TelemetrySettings
from arqlight.families.telemetry.tables import (
    devices,
    telemetry_erasures,
    telemetry_events,
    telemetry_merges,
    telemetry_persons,
    usage_daily,
)

KEPT_IDS = LATEST + timedelta(days=1)
GROUP = 1_000
MOST_GROUPS = 1_000  # of each kind; the rest goes the next day


async def tidy(ctx: dict[str, Any]) -> dict[str, int]:
    """What has had its time goes; how much went, by kind."""
    database: Database = ctx["database"]
    if not database.is_set:
        return {}
    days = parse_days(ctx["settings"].of(TelemetrySettings).telemetry_keep_d)
    is_gone = ~select(devices.c.fingerprint).where(devices.c.fingerprint == telemetry_persons.c.fingerprint).exists()
    has_no_target = (
        ~select(devices.c.fingerprint).where(devices.c.fingerprint == telemetry_merges.c.into_fingerprint).exists()
    )
    old = func.now() - KEPT_IDS
    removed = {
        "event_ids": await _remove(database, telemetry_events, telemetry_events.c.received_at < old),
        "telemetry_erasures": await _remove(database, telemetry_erasures, telemetry_erasures.c.erased_at < old),
        "usage": 0,
        "devices": 0,
    }
    for product in (*(each for each in days if each != OTHERS), OTHERS):
        if keep_d := days.get(product, 0):
            named = [each for each in days if each != OTHERS]
            before = func.now() - timedelta(days=keep_d)
            for kind, table, at in (
                ("usage", usage_daily, usage_daily.c.day),
                ("devices", devices, devices.c.last_seen),
            ):
                which = table.c.product.not_in(named) if product == OTHERS else table.c.product == product
                removed[kind] += await _remove(database, table, which & (at < before))
    removed["telemetry_persons"] = await _remove(database, telemetry_persons, is_gone)
    is_old_merge = has_no_target & (telemetry_merges.c.merged_at < old)
    removed["telemetry_merges"] = await _remove(database, telemetry_merges, is_old_merge)
    return removed


async def _remove(database: Database, table: Table, is_over: ColumnElement[bool]) -> int:
    """In groups, a transaction each; how many went."""
    removed = 0
    key = tuple_(*table.primary_key)
    group = select(*table.primary_key).where(is_over).limit(GROUP)
    for _ in range(MOST_GROUPS):
        async with database.begin() as connection:
            gone = (await connection.execute(delete(table).where(key.in_(group), is_over))).rowcount
        removed += gone
        if gone < GROUP:
            break
    return removed
