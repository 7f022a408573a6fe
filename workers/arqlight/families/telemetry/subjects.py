"""What is kept of one device or person: given out, or erased (GDPR, articles 15 and 17).

Usage is counted by device, not by person: of a person it is that of each device they used, as a whole.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from arqlight.errors import NotFound
from arqlight.families.database import Database
from arqlight.families.telemetry.locking import while_nothing_is_folded
from arqlight.families.telemetry.merging import merged_name
from arqlight.families.telemetry.reading import plain_row
from arqlight.families.telemetry.tables import (
    devices,
    telemetry_erasures,
    telemetry_events,
    telemetry_merges,
    telemetry_persons,
    usage_daily,
)

ROWS_A_GROUP = 1_000
KEPT_IN: dict[str, Table] = {
    "device": devices, "usage": usage_daily, "person": telemetry_persons, "event_id": telemetry_events
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Subject:
    """Who: a device by its fingerprint, or a person by the hash that is kept."""

    fingerprint: str | None = None
    person: str | None = None


async def fingerprints_of(connection: AsyncConnection, subject: Subject) -> list[str]:
    """The devices of a subject with all that were merged into them, sorted."""
    if subject.person is not None:
        query = select(telemetry_persons.c.fingerprint).where(telemetry_persons.c.person == subject.person)
        named = list((await connection.execute(query)).scalars())
    else:
        named = [await merged_name(connection, subject.fingerprint or "")]
    merges = telemetry_merges
    query = select(merges.c.fingerprint).where(merges.c.into_fingerprint.in_(named))
    return sorted({*named, *(await connection.execute(query)).scalars()})


async def export_subject(database: Database, subject: Subject) -> AsyncGenerator[list[dict[str, Any]], None]:
    """Every row that is kept, in groups, with `kind`: device, usage, person or event_id. Raises NotFound for none."""
    async with database.begin() as connection:
        fingerprints = await fingerprints_of(connection, subject)
    is_empty = True
    for kind, table in KEPT_IN.items():
        async for rows in _groups(database, table, _is_of(table, fingerprints, subject)):
            is_empty = False
            yield [{"kind": kind, **plain_row(row)} for row in rows]
    if is_empty:
        raise NotFound("nothing is kept of this device or person")


async def erase_subject(database: Database, subject: Subject) -> dict[str, Any]:
    """Erase every row that is kept; how many went, by kind, and `fingerprints`, the devices.

    Events from before that are on their way are not counted when they come.
    """
    async with database.begin() as connection:
        await while_nothing_is_folded(connection)
        fingerprints = await fingerprints_of(connection, subject)
        gone = {
            kind: int(
                (await connection.execute(delete(table).where(_is_erased(table, fingerprints, subject)))).rowcount
            )
            for kind, table in KEPT_IN.items()
        }
        merges = telemetry_merges
        is_of = or_(merges.c.fingerprint.in_(fingerprints), merges.c.into_fingerprint.in_(fingerprints))
        await connection.execute(delete(merges).where(is_of))
        if fingerprints:
            noted = insert(telemetry_erasures).values(
                [{"fingerprint": each, "erased_at": func.clock_timestamp()} for each in fingerprints]
            )
            again = noted.on_conflict_do_update(
                index_elements=[telemetry_erasures.c.fingerprint], set_={"erased_at": func.clock_timestamp()}
            )
            await connection.execute(again)
    return {"fingerprints": fingerprints, **gone}


def _is_of(table: Table, fingerprints: list[str], subject: Subject) -> ColumnElement[bool]:
    if subject.person is not None and table is telemetry_persons:  # who else used these devices is not theirs to see
        return table.c.person == subject.person
    return table.c.fingerprint.in_(fingerprints)


def _is_erased(table: Table, fingerprints: list[str], subject: Subject) -> ColumnElement[bool]:
    return _is_of(table, fingerprints, subject) | table.c.fingerprint.in_(fingerprints)


async def _groups(database: Database, table: Table, is_of: ColumnElement[bool]) -> AsyncGenerator[Sequence[Any], None]:
    """Rows in the order of their key; no connection is held while somebody reads a group."""
    key = tuple(table.primary_key)
    query = select(table).where(is_of).order_by(*key).limit(ROWS_A_GROUP)
    following = query
    while True:
        async with database.begin() as connection:
            rows = (await connection.execute(following)).mappings().all()
        if rows:
            yield rows
        if len(rows) < ROWS_A_GROUP:
            return
        following = query.where(tuple_(*key) > tuple(rows[-1][column.name] for column in key))
