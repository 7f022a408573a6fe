"""Folds events into devices and daily usage. An event that comes twice, in one batch or in two, counts once."""

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import case, delete, func
from sqlalchemy.dialects.postgresql import insert

from arqlight.families.database import Database
from arqlight.families.telemetry.intake import LATEST
from arqlight.families.telemetry.tables import devices, telemetry_events, usage_daily
from arqlight.tasks import Backoff, task

EVENTS_A_JOB = 500
KEPT_IDS = LATEST + timedelta(days=1)
ID_COLUMNS = ("fingerprint", "product", "event_id")


@task(queue="telemetry", tries=8, timeout_s=120, backoff=Backoff(first_s=1, longest_s=300), keep_result_s=600)
async def fold_telemetry(ctx: dict[str, Any], events: list[dict[str, Any]]) -> dict[str, int]:
    """Fold up to 500 events that `intake` checked, all or none of them.

    Returns `{"counted", "repeated"}`.
    """
    # Always in the same order: two jobs that share devices must not wait for each other.
    unique = {_key(event): event for event in reversed(events)}  # of one that stands twice, the first counts
    ordered = [unique[key] for key in sorted(unique)]
    async with ctx["database"].begin() as connection:
        ids = [dict(zip(ID_COLUMNS, _key(event), strict=True)) for event in ordered]
        noted = insert(telemetry_events).values(ids).on_conflict_do_nothing()
        returned = noted.returning(*(telemetry_events.c[name] for name in ID_COLUMNS))
        new = {tuple(row) for row in await connection.execute(returned)}
        fresh = [event for event in ordered if _key(event) in new]
        if fresh:
            await connection.execute(_seen(fresh))
            if usage := _used(fresh):
                counted = insert(usage_daily).values(usage)
                await connection.execute(
                    counted.on_conflict_do_update(
                        index_elements=list(usage_daily.primary_key),
                        set_={"total": usage_daily.c.total + counted.excluded.total},
                    )
                )
    return {"counted": len(fresh), "repeated": len(events) - len(fresh)}


async def forget_event_ids(database: Database) -> int:
    """Remove the ids of events that are too old to come again; how many went."""
    async with database.begin() as connection:
        old = delete(telemetry_events).where(telemetry_events.c.received_at < func.now() - KEPT_IDS)
        return int((await connection.execute(old)).rowcount)


async def tidy(ctx: dict[str, Any]) -> dict[str, int]:
    """What has had its time goes; how much went, by kind."""
    return {"event_ids": await forget_event_ids(ctx["database"])}


def _key(event: dict[str, Any]) -> tuple[str, str, str]:
    """What makes an event the same one: SDKs of two products on one device number theirs alike."""
    return event["fingerprint"], event["product"], event["id"]


def _seen(events: list[dict[str, Any]]) -> Any:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for event in events:
        at = datetime.fromisoformat(event["at"])
        key = (event["fingerprint"], event["product"])
        row = rows.setdefault(
            key,
            {"fingerprint": key[0], "product": key[1], "version": event["version"], "events": 0, "first_seen": at,
             "last_seen": at},
        )  # fmt: skip
        row["events"] += 1
        row["first_seen"] = min(row["first_seen"], at)
        if at >= row["last_seen"]:
            row["last_seen"], row["version"] = at, event["version"]
    seen = insert(devices).values(list(rows.values()))
    newer = seen.excluded.last_seen >= devices.c.last_seen
    return seen.on_conflict_do_update(
        index_elements=list(devices.primary_key),
        set_={
            "version": case((newer, seen.excluded.version), else_=devices.c.version),
            "events": devices.c.events + seen.excluded.events,
            "first_seen": func.least(devices.c.first_seen, seen.excluded.first_seen),
            "last_seen": func.greatest(devices.c.last_seen, seen.excluded.last_seen),
        },
    )


def _used(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    totals: dict[tuple[str, str, Any, str], Decimal] = defaultdict(Decimal)
    for event in events:
        day = datetime.fromisoformat(event["at"]).date()
        for counter, value in event["counters"].items():
            totals[event["fingerprint"], event["product"], day, counter] += Decimal(str(value))
    return [
        {"fingerprint": fingerprint, "product": product, "day": day, "counter": counter, "total": total}
        for (fingerprint, product, day, counter), total in sorted(totals.items())
    ]
