"""Folds events into devices and daily usage. An event that comes twice, in one batch or in two, counts once."""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from arqlight.families.telemetry.adding import add_devices, add_persons, add_usage
from arqlight.families.telemetry.locking import while_devices_stay
from arqlight.families.telemetry.tables import telemetry_erasures, telemetry_events, telemetry_merges
from arqlight.tasks import Backoff, task

EVENTS_A_JOB = 500
ID_COLUMNS = ("fingerprint", "product", "event_id")


@task(queue="telemetry", tries=8, timeout_s=120, backoff=Backoff(first_s=1, longest_s=300), keep_result_s=600)
async def fold_telemetry(ctx: dict[str, Any], events: list[dict[str, Any]]) -> dict[str, int]:
    """Fold up to 500 events that `intake` checked, all or none of them.

    Returns `{"counted", "repeated", "erased"}`; erased are those from before their device was.
    """
    # Always in the same order: two jobs that share devices must not wait for each other.
    unique = {_key(event): event for event in reversed(events)}  # of one that stands twice, the first counts
    ordered = [unique[key] for key in sorted(unique)]
    async with ctx["database"].begin() as connection:
        await while_devices_stay(connection)
        kept = await _without_erased(connection, ordered)
        fresh = await _note_ids(connection, kept)
        await _name_as_merged(connection, fresh)
        await add_devices(connection, _seen(fresh))
        await add_usage(connection, _used(fresh))
        await add_persons(connection, _persons(fresh))
    return {
        "counted": len(fresh),
        "repeated": len(events) - len(ordered) + len(kept) - len(fresh),
        "erased": len(ordered) - len(kept),
    }


def _key(event: dict[str, Any]) -> tuple[str, str, str]:
    """What makes an event the same one: SDKs of two products on one device number theirs alike."""
    return event["fingerprint"], event["product"], event["id"]


async def _without_erased(connection: AsyncConnection, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    table = telemetry_erasures
    query = select(table.c.fingerprint, table.c.erased_at).where(table.c.fingerprint.in_(_fingerprints(events)))
    erased = {row.fingerprint: row.erased_at for row in await connection.execute(query)}
    return [
        event for event in events
        if event["fingerprint"] not in erased
        or datetime.fromisoformat(event["at"]) > erased[event["fingerprint"]]
    ]  # fmt: skip


async def _note_ids(connection: AsyncConnection, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those whose id was not there yet."""
    if not events:
        return []
    ids = [dict(zip(ID_COLUMNS, _key(event), strict=True)) for event in events]
    noted = insert(telemetry_events).values(ids).on_conflict_do_nothing()
    returned = noted.returning(*(telemetry_events.c[name] for name in ID_COLUMNS))
    new = {tuple(row) for row in await connection.execute(returned)}
    return [event for event in events if _key(event) in new]


async def _name_as_merged(connection: AsyncConnection, events: list[dict[str, Any]]) -> None:
    """Give the events of merged devices the fingerprint of what these are now."""
    table = telemetry_merges
    query = select(table.c.fingerprint, table.c.into_fingerprint).where(table.c.fingerprint.in_(_fingerprints(events)))
    merged = {row.fingerprint: row.into_fingerprint for row in await connection.execute(query)}
    for event in events:
        event["fingerprint"] = merged.get(event["fingerprint"], event["fingerprint"])


def _fingerprints(events: list[dict[str, Any]]) -> set[str]:
    return {event["fingerprint"] for event in events}


def _seen(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for event in sorted(events, key=lambda event: datetime.fromisoformat(event["at"])):  # the last one tells what is
        at, key = datetime.fromisoformat(event["at"]), (event["fingerprint"], event["product"])
        row = rows.setdefault(
            key, {"fingerprint": key[0], "product": key[1], "events": 0, "first_seen": at, "fields": {}}
        )
        row["events"] += 1
        row["last_seen"], row["version"] = at, event["version"]
        row["fields"] |= event.get("fields") or {}
    return [rows[key] for key in sorted(rows)]


def _used(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    totals: dict[tuple[str, str, str, Any, str], Decimal] = defaultdict(Decimal)
    for event in events:
        day = datetime.fromisoformat(event["at"]).date()
        for counter, value in event["counters"].items():
            totals[event["fingerprint"], event["product"], event["version"], day, counter] += Decimal(str(value))
    names = ("fingerprint", "product", "version", "day", "counter")
    return [{**dict(zip(names, key, strict=True)), "total": total} for key, total in sorted(totals.items())]


def _persons(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    seen: dict[tuple[str, str], datetime] = {}
    for event in events:
        if person := event.get("person"):
            key, at = (person, event["fingerprint"]), datetime.fromisoformat(event["at"])
            seen[key] = max(seen.get(key, at), at)
    return [
        {"person": person, "fingerprint": fingerprint, "last_seen": at}
        for (person, fingerprint), at in sorted(seen.items())
    ]
