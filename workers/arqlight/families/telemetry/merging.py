"""Makes one device of two: what both told is added up, and what the first one sends from then on is the second's."""

from typing import Any

from sqlalchemy import Table, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from arqlight.errors import Conflict, NotFound
from arqlight.families.database import Database
from arqlight.families.telemetry.adding import Rows, add_devices, add_persons, add_usage
from arqlight.families.telemetry.locking import while_nothing_is_folded
from arqlight.families.telemetry.tables import devices, telemetry_merges, telemetry_persons, usage_daily


async def merge_devices(database: Database, fingerprint: str, into: str) -> dict[str, Any]:
    """Add the device `fingerprint` to `into`, in one transaction.

    Returns `{"fingerprint", "into", "products", "usage"}`, the last two being how many rows went over. Raises NotFound
    for a device that is not there, Conflict where both are one already.
    """
    async with database.begin() as connection:
        await while_nothing_is_folded(connection)
        source, target = [await merged_name(connection, each) for each in (fingerprint, into)]
        if source == target:
            raise Conflict("the two are one device already; nothing is to be merged")
        for each in (source, target):
            await _check_known(connection, each)
        products = await _taken(connection, devices, source, target)
        usage = await _taken(connection, usage_daily, source, target)
        await add_devices(connection, products)
        await add_usage(connection, usage)
        await add_persons(connection, await _taken(connection, telemetry_persons, source, target))
        merges = telemetry_merges
        again = update(merges).where(merges.c.into_fingerprint == source).values(into_fingerprint=target)
        await connection.execute(again)
        await connection.execute(insert(merges).values(fingerprint=source, into_fingerprint=target))
    return {"fingerprint": source, "into": target, "products": len(products), "usage": len(usage)}


async def merged_name(connection: AsyncConnection, fingerprint: str) -> str:
    """The fingerprint of what a device is now."""
    query = select(telemetry_merges.c.into_fingerprint).where(telemetry_merges.c.fingerprint == fingerprint)
    return (await connection.execute(query)).scalar_one_or_none() or fingerprint


async def _check_known(connection: AsyncConnection, fingerprint: str) -> None:
    known = select(devices.c.fingerprint).where(devices.c.fingerprint == fingerprint).limit(1)
    if (await connection.execute(known)).first() is None:
        raise NotFound(f"no device {fingerprint[:64]!r}; GET /api/v1/telemetry/devices lists them")


async def _taken(connection: AsyncConnection, table: Table, source: str, target: str) -> Rows:
    """The rows of `source`, taken away, as rows of `target`."""
    gone = delete(table).where(table.c.fingerprint == source).returning(table)
    rows = [{**row, "fingerprint": target} for row in (await connection.execute(gone)).mappings()]
    return sorted(rows, key=lambda row: [str(row[column.name]) for column in table.primary_key])
