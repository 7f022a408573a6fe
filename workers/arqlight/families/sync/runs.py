"""Runs of a sync: begun or continued, a page and its place in one transaction, and how each ended."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from arqlight.errors import NotFound
from arqlight.families.database import Database
from arqlight.families.sync.marketplace import Marketplace
from arqlight.families.sync.paging import Place, following_place
from arqlight.families.sync.sale import Page
from arqlight.families.sync.tables import sync_runs
from arqlight.families.sync.writing import mark_vanished, write_sales

Kind = Literal["incremental", "full"]
MOST_REFUSED_KEPT = 100
MOST_DIFFERENCES_KEPT = 200
LONGEST_REASON = 1_000
# A run that nobody touched for so long lost its job; so did one that was to go on so long ago.
ABANDONED = timedelta(minutes=15)
# Where a run that failed may be continued: a place in a list does not keep for ever.
CONTINUED_WITHIN = timedelta(days=7)
Choice = Literal["continue", "leave", "new"]


class TakenOver(Exception):
    """Another job goes on with the run."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run that a job goes on with. `place` is None when its list is read."""

    id: int
    job_id: str
    since: datetime | None
    place: Place | None
    report: dict[str, Any]


def choose(newest: RowMapping | dict[str, Any] | None, job_id: str, now: datetime) -> Choice:
    """What a job does about the newest run of its kind: go on with it, leave it to the job that does, or begin one."""
    if newest is None or newest["state"] == "done":
        return "new"
    if newest["state"] == "failed":
        is_recent = now - newest["touched_at"] < CONTINUED_WITHIN
        return "continue" if newest["place"] is not None and is_recent else "new"
    if newest["job_id"] == job_id:
        return "continue"
    expected = max(newest["touched_at"], newest["resume_at"] or newest["touched_at"])
    return "leave" if now - expected < ABANDONED else "continue"


async def begin(database: Database, marketplace: str, kind: Kind, job_id: str, look_back: timedelta) -> Run | int:
    """The run that this job goes on with; the id of one that another job goes on with."""
    async with database.begin() as connection:
        lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
        await connection.execute(lock, {"name": f"arqlight sync {marketplace} {kind}"})
        of_kind = (sync_runs.c.marketplace == marketplace, sync_runs.c.kind == kind)
        query = select(sync_runs).where(*of_kind).order_by(sync_runs.c.id.desc()).limit(1)
        newest = (await connection.execute(query)).mappings().one_or_none()
        choice = choose(newest, job_id, datetime.now(UTC))
        if newest is not None and choice == "leave":
            return int(newest["id"])
        if newest is not None and choice == "continue":
            going_on = update(sync_runs).where(sync_runs.c.id == newest["id"])
            again = going_on.values(
                state="running", reason=None, job_id=job_id, resume_at=None, finished_at=None, touched_at=func.now()
            )
            return _run((await connection.execute(again.returning(sync_runs))).mappings().one())
        since = None if kind == "full" else await _since(connection, marketplace, look_back)
        fresh = insert(sync_runs).values(marketplace=marketplace, kind=kind, job_id=job_id, since=since)
        return _run((await connection.execute(fresh.returning(sync_runs))).mappings().one())


async def _since(connection: AsyncConnection, marketplace: str, look_back: timedelta) -> datetime | None:
    """From when on sales are read again: a while before the last run that came to its end began, by our clock."""
    done = select(func.max(sync_runs.c.started_at)).where(
        sync_runs.c.marketplace == marketplace, sync_runs.c.state == "done"
    )
    last: datetime | None = (await connection.execute(done)).scalar_one()
    return None if last is None else last - look_back


async def write_page(database: Database, marketplace: Marketplace, run: Run, page: Page) -> Run:
    """A page's sales and where the run goes on, in one transaction; after the last one the run is done.

    Raises PagesInALoop, and TakenOver when another job goes on with the run.
    """
    assert run.place is not None  # noqa: S101 - else there is nothing to read
    place = following_place(
        run.place, page, run.since, shifts=marketplace.shifts, ends_empty=marketplace.ends_empty
    )  # fmt: skip
    async with database.begin() as connection:
        locked = select(sync_runs).where(sync_runs.c.id == run.id).with_for_update()
        row = (await connection.execute(locked)).mappings().one()
        if row["job_id"] != run.job_id:
            raise TakenOver(f"job {row['job_id']} goes on with this run")
        written = await write_sales(connection, marketplace.name, page.sales, page.refunds, run.id)
        looked_again = run.place.second_look  # its entries were counted the first time, unless they are new
        values: dict[str, Any] = {
            "pages": row["pages"] + 1,
            "seen": row["seen"] + (written.new if looked_again else page.entries),
            "new": row["new"] + written.new,
            "changed": row["changed"] + written.changed,
            "place": place.to_json() if place else None,
            "touched_at": func.now(),
        }
        differences = list(written.differences)
        if place is None:
            vanished = await mark_vanished(connection, row, MOST_DIFFERENCES_KEPT)
            differences += vanished.differences
            values |= {
                "vanished": vanished.vanished,
                "state": "done",
                "finished_at": func.now(),
                "reason": vanished.note,
            }
        if page.refused and not looked_again:
            values |= {
                "refused_count": row["refused_count"] + len(page.refused),
                "refused": [*row["refused"], *(each.to_json() for each in page.refused)][:MOST_REFUSED_KEPT],
            }
        if differences and len(row["differences"]) < MOST_DIFFERENCES_KEPT:
            values["differences"] = [*row["differences"], *differences][:MOST_DIFFERENCES_KEPT]
        changed = update(sync_runs).where(sync_runs.c.id == run.id).values(values).returning(sync_runs)
        told = (await connection.execute(changed)).mappings().one()
    return Run(run.id, run.job_id, run.since, place, _report(told))


async def pause(
    database: Database, run: Run, state: Literal["waiting", "failed"], reason: str, resume_s: float, *, keep_place: bool
) -> None:
    """Why a run does not go on now, and when it will; one whose place is not kept begins anew next time."""
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "state": state,
        "reason": reason[:LONGEST_REASON],
        "touched_at": func.now(),
        "resume_at": now + timedelta(seconds=resume_s) if state == "waiting" else None,
        "finished_at": func.now() if state == "failed" else None,
    }
    if not keep_place:
        values["place"] = None
    mine = (sync_runs.c.id == run.id, sync_runs.c.job_id == run.job_id)
    async with database.begin() as connection:
        await connection.execute(update(sync_runs).where(*mine).values(values))


async def list_runs(database: Database, marketplace: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
    """The newest runs with their reports, without the differences."""
    query = select(sync_runs).order_by(sync_runs.c.id.desc()).limit(limit)
    if marketplace:
        query = query.where(sync_runs.c.marketplace == marketplace)
    async with database.begin() as connection:
        rows = (await connection.execute(query)).mappings().all()
    return [_told(row) for row in rows]


async def find_run(database: Database, run_id: int) -> dict[str, Any]:
    """One run with the differences that it found. Raises NotFound."""
    async with database.begin() as connection:
        row = (await connection.execute(select(sync_runs).where(sync_runs.c.id == run_id))).mappings().one_or_none()
    if row is None:
        raise NotFound(f"no sync run {run_id}")
    return {**_told(row), "differences": row["differences"]}


def _run(row: RowMapping) -> Run:
    place = Place.from_json(row["place"]) if row["place"] else Place()
    return Run(row["id"], row["job_id"], row["since"], place, _report(row))


def _report(row: RowMapping) -> dict[str, Any]:
    counts = {name: row[name] for name in ("pages", "seen", "new", "changed", "vanished")}
    return {"run": row["id"], **counts, "refused": row["refused_count"]}


def _told(row: RowMapping) -> dict[str, Any]:
    plain = ("id", "marketplace", "kind", "state", "reason", "job_id", "pages", "seen", "new", "changed", "vanished",
             "refused_count", "refused")  # fmt: skip
    moments = ("since", "started_at", "resume_at", "finished_at")
    return {
        **{name: row[name] for name in plain},
        "error": row["reason"] if row["state"] == "failed" else None,
        **{name: row[name].isoformat(timespec="milliseconds") if row[name] else None for name in moments},
    }
