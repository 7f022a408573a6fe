"""Adds to devices, usage and persons what events tell of them, or what a merged device had."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import case, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from arqlight.families.telemetry.tables import devices, telemetry_persons, usage_daily

Rows = Sequence[dict[str, Any]]
MOST_ROWS = 5_000  # in one statement: PostgreSQL takes 65,535 parameters


async def add_devices(connection: AsyncConnection, rows: Rows) -> None:
    """Rows of `devices`, each device and product once; the newer one tells version and fields."""
    for group in _groups(rows):
        seen = insert(devices).values(group)
        newer = seen.excluded.last_seen >= devices.c.last_seen
        fields = case(
            (newer, devices.c.fields.op("||")(seen.excluded.fields)),
            else_=seen.excluded.fields.op("||")(devices.c.fields),
        )
        added = seen.on_conflict_do_update(
            index_elements=list(devices.primary_key),
            set_={
                "version": case((newer, seen.excluded.version), else_=devices.c.version),
                "fields": fields,
                "events": devices.c.events + seen.excluded.events,
                "first_seen": func.least(devices.c.first_seen, seen.excluded.first_seen),
                "last_seen": func.greatest(devices.c.last_seen, seen.excluded.last_seen),
            },
        )
        await connection.execute(added)


async def add_usage(connection: AsyncConnection, rows: Rows) -> None:
    """Rows of `usage_daily`, each key once."""
    for group in _groups(rows):
        used = insert(usage_daily).values(group)
        added = used.on_conflict_do_update(
            index_elements=list(usage_daily.primary_key), set_={"total": usage_daily.c.total + used.excluded.total}
        )
        await connection.execute(added)


async def add_persons(connection: AsyncConnection, rows: Rows) -> None:
    """Rows of `telemetry_persons`, each key once."""
    for group in _groups(rows):
        used = insert(telemetry_persons).values(group)
        last_seen = func.greatest(telemetry_persons.c.last_seen, used.excluded.last_seen)
        added = used.on_conflict_do_update(
            index_elements=list(telemetry_persons.primary_key), set_={"last_seen": last_seen}
        )
        await connection.execute(added)


def _groups(rows: Rows) -> Iterator[Rows]:
    return (rows[at : at + MOST_ROWS] for at in range(0, len(rows), MOST_ROWS))
