"""How a bulk operation stands, a batch of keys or an export: how it ended, why, and how it is begun again."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from arq.worker import Retry
from sqlalchemy import Table, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from arqlight.errors import ArqlightError, CursorInvalid, InvalidInput, NotFound, PermanentFailure
from arqlight.families.database import Database
from arqlight.jobs.display import as_json
from arqlight.jobs.storable_text import check_text
from arqlight.tasks import is_last_try

LONGEST_REASON = 1_000
LONGEST_KEY = 200
CUT_OFF = "cancelled, or cut off by a timeout or the stop of its worker"
OPEN = ("waiting", "running", "cancelled")  # a job may go on with those; "cancelled" is what an attempt says of itself
STOPPED = ("failed", "cancelled")
State = Literal["waiting", "failed", "cancelled"]
Id = int | str


def state_after(error: BaseException, *, is_last: bool) -> tuple[State, str]:
    """How an operation stands after its attempt ended with an error, and why."""
    why = f"{type(error).__name__}: {error}"[:LONGEST_REASON]
    if isinstance(error, asyncio.CancelledError):
        return "cancelled", CUT_OFF
    if isinstance(error, Retry):
        return "waiting", why
    if is_last or isinstance(error, PermanentFailure):
        return "failed", why
    return "waiting", f"to be tried again after {why}"[:LONGEST_REASON]


async def note(database: Database, table: Table, row_id: Id, **values: Any) -> None:
    """Write `values` of one operation."""
    async with database.begin() as connection:
        await connection.execute(update(table).where(table.c.id == row_id).values(values))


async def note_end(ctx: dict[str, Any], table: Table, row_id: Id, error: BaseException, tries: int) -> None:
    """Write how an attempt ended; what cannot be written is logged, for `error` is what counts and is raised."""
    state, reason = state_after(error, is_last=is_last_try(ctx, tries))
    try:
        await asyncio.shield(note(ctx["database"], table, row_id, state=state, reason=storable(reason)))
    except (SQLAlchemyError, ArqlightError, OSError) as trouble:
        ctx["log"]("the state of %s %s could not be written: %s", table.name, row_id, trouble)


def storable(text: str) -> str:
    """`text` as PostgreSQL takes it."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:LONGEST_REASON]


async def request(
    database: Database, table: Table, new: Mapping[str, Any], key: str | None, asked: Sequence[str]
) -> tuple[Any, bool]:
    """The row of an operation that is wanted, and whether it is new.

    Under a `key` that was used, it is the row that was made then. Raises InvalidInput when that one was asked for with
    other values in the columns `asked`.
    """
    if key is not None:
        check_text("idempotency_key", key, LONGEST_KEY, shortest=1)
    async with database.begin() as connection:
        made = insert(table).values(**new, idempotency_key=key).on_conflict_do_nothing().returning(table)
        row = (await connection.execute(made)).first()
        if row is not None:
            return row, True
        row = (await connection.execute(select(table).where(table.c.idempotency_key == key))).one()
    if differs := [name for name in asked if row._mapping[name] != new[name]]:
        was = row._mapping[differs[0]]
        raise InvalidInput("idempotency_key", f"{key!r} was used with {differs[0]} {was!r}; choose another key")
    return row, False


async def restart(database: Database, table: Table, row_id: Id, job_id: str, **values: Any) -> bool:
    """Set a failed or cancelled operation to waiting, for a new job; False when it is in another state.

    The job's id is written before the job is enqueued: where that fails, its absence is seen, and said.
    """
    stopped = update(table).where(table.c.id == row_id, table.c.state.in_(STOPPED))
    async with database.begin() as connection:
        done = await connection.execute(stopped.values(state="waiting", reason=None, job_id=job_id, **values))
    return bool(done.rowcount)


async def settle(database: Database, table: Table, row_id: Id, job_id: str, state: str, reason: str) -> None:
    """Write how an operation's job ended, where the job could not: it never ran, or its worker died."""
    mine = (table.c.id == row_id, table.c.job_id == job_id, table.c.state.in_(OPEN))
    async with database.begin() as connection:
        await connection.execute(update(table).where(*mine).values(state=state, reason=storable(reason)))


async def find(database: Database, table: Table, row_id: Id) -> Any:
    """The row. Raises NotFound."""
    async with database.begin() as connection:
        row = (await connection.execute(select(table).where(table.c.id == row_id))).first()
    if row is None:
        raise NotFound(f"no {row_id!r} in {table.name}")
    return row


async def page(database: Database, table: Table, limit: int, cursor: Id | None) -> tuple[list[Any], Id | None]:
    """The newest rows behind `cursor` (the id of the last one shown), and the next cursor. Raises CursorInvalid."""
    query = select(table).order_by(table.c.created_at.desc(), table.c.id.desc()).limit(limit + 1)
    async with database.begin() as connection:
        if cursor is not None:
            last = (await connection.execute(select(table.c.created_at).where(table.c.id == cursor))).scalar()
            if last is None:
                raise CursorInvalid(str(cursor))
            query = query.where(tuple_(table.c.created_at, table.c.id) < (last, cursor))
        rows = list((await connection.execute(query)).all())
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def told(row: Any) -> dict[str, Any]:
    """What the API shows of any operation; what looks like a secret in its reason is masked."""
    return {"state": row.state, "reason": as_json(row.reason), "job_id": row.job_id, "created_at": iso(row.created_at)}


def iso(moment: datetime | None) -> str | None:
    """A time as the API shows it."""
    return moment.isoformat(timespec="milliseconds") if moment else None
