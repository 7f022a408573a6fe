"""Devices, products and usage as people look at them: by filter, a page at a time."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, tuple_
from sqlalchemy.sql.elements import Label

from arqlight.families.database import Database
from arqlight.families.telemetry.places import read_place, write_place
from arqlight.families.telemetry.tables import devices, usage_daily
from arqlight.jobs.secret_texts import hide_within

USAGE_SHOWN = timedelta(days=90)
MOST_VERSIONS = 20  # of a product, those that most devices have
ROWS_A_GROUP = 1_000
Found = tuple[list[dict[str, Any]], str | None]


@dataclass(frozen=True, slots=True)
class Which:
    """Which devices or usage: of a product and version, a device seen or a counter used from `since` to `until`."""

    product: str | None = None
    version: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def list_devices(database: Database, which: Which, limit: int, cursor: str | None) -> Found:
    """Devices, the last seen first, and the cursor of the next page. Raises CursorInvalid."""
    key = (devices.c.last_seen, devices.c.fingerprint, devices.c.product)
    query = _devices(which).order_by(*(column.desc() for column in key)).limit(limit + 1)
    if cursor:
        query = query.where(tuple_(*key) < read_place(cursor, (datetime.fromisoformat, str, str)))
    async with database.begin() as connection:
        rows = (await connection.execute(query)).all()
    following = None
    if len(rows) > limit:
        last = rows[limit - 1]
        following = write_place([last.last_seen.isoformat(), last.fingerprint, last.product])
    return [device_json(row) for row in rows[:limit]], following


async def list_products(database: Database, which: Which, limit: int, cursor: str | None) -> Found:
    """Products by name, each with its versions, those that most devices have first. Raises CursorInvalid."""
    query = (
        select(
            devices.c.product,
            func.count().label("devices"),
            func.sum(devices.c.events).label("events"),
            func.min(devices.c.first_seen).label("first_seen"),
            func.max(devices.c.last_seen).label("last_seen"),
        )
        .where(*_conditions(which, devices.c.last_seen, devices))
        .group_by(devices.c.product)
        .order_by(devices.c.product)
        .limit(limit + 1)
    )
    if cursor:
        (after,) = read_place(cursor, (str,))
        query = query.where(devices.c.product > after)
    async with database.begin() as connection:
        rows = (await connection.execute(query)).all()
        shown = rows[:limit]
        versions = await connection.execute(_versions(which, [row.product for row in shown]))
        by_product: dict[str, list[dict[str, Any]]] = {}
        for row in versions:
            by_product.setdefault(row.product, []).append({"version": row.version, "devices": row.devices})
    items = [
        hide_within(
            {
                "product": row.product, "devices": row.devices, "events": int(row.events),
                "first_seen": _iso(row.first_seen), "last_seen": _iso(row.last_seen),
                "versions": by_product.get(row.product, []),
            }
        )
        for row in shown
    ]  # fmt: skip
    return items, write_place([shown[-1].product]) if len(rows) > limit else None


async def list_usage(
    database: Database, which: Which, limit: int, cursor: str | None, counter: str | None = None
) -> Found:
    """Usage of each day, the last one first, by product, version and counter. Raises CursorInvalid.

    Without `since`, of the last 90 days.
    """
    key = (usage_daily.c.day, usage_daily.c.product, usage_daily.c.version, usage_daily.c.counter)
    query = _usage(which, counter).order_by(*(column.desc() for column in key)).limit(limit + 1)
    if cursor:
        query = query.where(tuple_(*key) < read_place(cursor, (date.fromisoformat, str, str, str)))
    async with database.begin() as connection:
        rows = (await connection.execute(query)).all()
    following = None
    if len(rows) > limit:
        last = rows[limit - 1]
        following = write_place([last.day.isoformat(), last.product, last.version, last.counter])
    return [_usage_json(row) for row in rows[:limit]], following


async def usage_by_day(database: Database, which: Which, days: int = 30) -> list[dict[str, Any]]:
    """Of each of the last days on which something was used: how many devices, and the sum of each counter."""
    usage = _usage(which, None, timedelta(days=days)).subquery()
    devices_a_day = (
        select(usage_daily.c.day, func.count(usage_daily.c.fingerprint.distinct()).label("devices"))
        .where(*_usage_conditions(which, timedelta(days=days)))
        .group_by(usage_daily.c.day)
        .order_by(usage_daily.c.day.desc())
        .limit(days)
    )
    totals = (
        select(usage.c.day, usage.c.counter, func.sum(usage.c.total).label("total"))
        .group_by(usage.c.day, usage.c.counter)
        .order_by(usage.c.day.desc(), usage.c.counter)
        .limit(days * 50)
    )
    async with database.begin() as connection:
        found = {
            row.day: {"day": row.day.isoformat(), "devices": row.devices, "counters": {}}
            for row in await connection.execute(devices_a_day)
        }
        for row in await connection.execute(totals):
            if row.day in found:
                found[row.day]["counters"][row.counter] = plain_number(row.total)
    return [hide_within(each) for each in found.values()]


async def every_device(database: Database, which: Which) -> AsyncGenerator[list[dict[str, Any]], None]:
    """All that match, in groups; no connection is held while somebody reads one."""
    cursor: str | None = None
    while True:
        items, cursor = await list_devices(database, which, ROWS_A_GROUP, cursor)
        yield items
        if cursor is None:
            return


async def every_usage(database: Database, which: Which) -> AsyncGenerator[list[dict[str, Any]], None]:
    """All usage that matches, a day at a time, the last one first."""
    days = (
        select(usage_daily.c.day).distinct().where(*_usage_conditions(which, None)).order_by(usage_daily.c.day.desc())
    )
    async with database.begin() as connection:
        found = list((await connection.execute(days)).scalars())
    for day in found:
        query = _usage(which, None, None).where(usage_daily.c.day == day)
        async with database.begin() as connection:
            rows = (await connection.execute(query)).all()
        yield [_usage_json(row) for row in rows]


def device_json(row: Any) -> dict[str, Any]:
    """A row of `devices`, as people may see it."""
    told: dict[str, Any] = hide_within({"product": row.product, "version": row.version, "fields": row.fields})
    times = {"first_seen": _iso(row.first_seen), "last_seen": _iso(row.last_seen)}
    return {"fingerprint": row.fingerprint, **told, "events": row.events, **times}


def plain_row(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row of a table as JSON has it, and as people may see it."""
    told: dict[str, Any] = hide_within({str(name): _plain(value) for name, value in row.items()})
    return told


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return _iso(value)
    if isinstance(value, date):
        return value.isoformat()
    return plain_number(value) if isinstance(value, Decimal) else value


def plain_number(value: Decimal) -> float:
    """An exact number as JSON has it."""
    return int(value) if value == value.to_integral_value() else float(value)


def _devices(which: Which) -> Select[Any]:
    return select(devices).where(*_conditions(which, devices.c.last_seen, devices))


def _versions(which: Which, products: list[str]) -> Select[Any]:
    number: Label[int] = func.count().label("devices")
    rank = func.row_number().over(partition_by=devices.c.product, order_by=(number.desc(), devices.c.version))
    ranked = (
        select(devices.c.product, devices.c.version, number, rank.label("rank"))
        .where(devices.c.product.in_(products), *_conditions(which, devices.c.last_seen, devices))
        .group_by(devices.c.product, devices.c.version)
        .subquery()
    )
    return select(ranked).where(ranked.c.rank <= MOST_VERSIONS).order_by(ranked.c.product, ranked.c.rank)


def _usage(which: Which, counter: str | None, shown: timedelta | None = USAGE_SHOWN) -> Select[Any]:
    query = (
        select(
            usage_daily.c.day, usage_daily.c.product, usage_daily.c.version, usage_daily.c.counter,
            func.sum(usage_daily.c.total).label("total"), func.count().label("devices"),
        )
        .where(*_usage_conditions(which, shown))
        .group_by(usage_daily.c.day, usage_daily.c.product, usage_daily.c.version, usage_daily.c.counter)
    )  # fmt: skip
    return query.where(usage_daily.c.counter == counter) if counter else query


def _usage_conditions(which: Which, shown: timedelta | None) -> list[ColumnElement[bool]]:
    """Days are those of UTC, as a whole: the one of `since`, and the one in which `until` falls."""
    since = which.since or (None if shown is None else datetime.now(UTC) - shown)
    found = _of_product(which, usage_daily)
    if since is not None:
        found.append(usage_daily.c.day >= _day(since))
    if which.until is not None:
        found.append(usage_daily.c.day <= _day(which.until))
    return found


def _conditions(which: Which, at: ColumnElement[Any], table: Any) -> list[ColumnElement[bool]]:
    found = _of_product(which, table)
    if which.since is not None:
        found.append(at >= which.since)
    if which.until is not None:
        found.append(at < which.until)
    return found


def _of_product(which: Which, table: Any) -> list[ColumnElement[bool]]:
    named = (("product", which.product), ("version", which.version))
    return [table.c[name] == value for name, value in named if value is not None]


def _usage_json(row: Any) -> dict[str, Any]:
    told: dict[str, Any] = hide_within({"product": row.product, "version": row.version, "counter": row.counter})
    return {"day": row.day.isoformat(), **told, "total": plain_number(row.total), "devices": row.devices}


def _day(moment: datetime) -> date:
    return (moment.replace(tzinfo=UTC) if moment.year in (1, 9999) else moment.astimezone(UTC)).date()


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
