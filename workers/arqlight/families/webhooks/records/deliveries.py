"""Deliveries as people look at them: an event for an endpoint, where it stands, and each attempt."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, update

from arqlight.errors import Conflict, NotFound
from arqlight.families.database import Database
from arqlight.families.webhooks.records import endpoints
from arqlight.families.webhooks.records.lines import Due, first_in_line
from arqlight.families.webhooks.tables import webhook_attempts as attempts
from arqlight.families.webhooks.tables import webhook_deliveries as table

STATES = ("pending", "delivered", "failed", "held")
# The last answer stays to be seen until there is another.
NEW_RUN = {
    "state": "pending", "run": table.c.run + 1, "attempt": 0, "job_id": "", "run_at": func.now(),
    "next_at": func.now(),
}  # fmt: skip


def is_undelivered() -> ColumnElement[bool]:
    """Failed, held, or failing so far; not what waits for its first attempt."""
    return or_(table.c.state.in_(("failed", "held")), and_(table.c.state == "pending", table.c.attempt > 0))


async def list_deliveries(
    database: Database, endpoint_id: str, *, state: str | None = None, before: int | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """Those of an endpoint, the newest first: of one state, or with an id below `before`."""
    query = select(table).where(table.c.endpoint_id == endpoint_id).order_by(table.c.id.desc()).limit(limit)
    if state:
        query = query.where(table.c.state == state)
    if before is not None:
        query = query.where(table.c.id < before)
    async with database.begin() as connection:
        return [_delivery(row) for row in await connection.execute(query)]


async def count_undelivered(database: Database, endpoint_id: str) -> int:
    """How many a replay of all that failed would send."""
    query = select(func.count()).where(table.c.endpoint_id == endpoint_id, is_undelivered())
    async with database.begin() as connection:
        return int((await connection.execute(query)).scalar_one())


async def find_delivery(database: Database, delivery_id: int) -> dict[str, Any]:
    """One delivery. Raises NotFound."""
    async with database.begin() as connection:
        row = (await connection.execute(select(table).where(table.c.id == delivery_id))).first()
    if row is None:
        raise _missing(delivery_id)
    return _delivery(row)


async def list_attempts(database: Database, delivery_id: int, limit: int = 50) -> list[dict[str, Any]]:
    """The attempts at a delivery, the newest first."""
    query = select(attempts).where(attempts.c.delivery_id == delivery_id).order_by(attempts.c.id.desc()).limit(limit)
    async with database.begin() as connection:
        return [_attempt(row) for row in await connection.execute(query)]


@dataclass(frozen=True, slots=True)
class BegunAgain:
    """A delivery that was set going once more, and whether it waits for no other one."""

    due: Due
    is_first: bool


async def begin_again(database: Database, delivery_id: int) -> BegunAgain:
    """Set a delivery going once more. Raises NotFound, Conflict."""
    async with database.begin() as connection:
        row = (await connection.execute(select(table).where(table.c.id == delivery_id))).first()
        endpoint = await endpoints.lock(connection, row.endpoint_id) if row else None
        if row is None or endpoint is None:
            raise _missing(delivery_id)
        check_on(endpoint)
        again = update(table).where(table.c.id == delivery_id).values(NEW_RUN).returning(table.c.run)
        run = (await connection.execute(again)).scalar_one()
        due = Due(row.endpoint_id, row.message_id, run)
        return BegunAgain(due, due in await first_in_line(connection, [delivery_id]))


def check_on(endpoint: Any) -> None:
    """Raises Conflict for an endpoint that is off: what is set going would be held again."""
    if not endpoint.enabled:
        raise Conflict(f"endpoint {endpoint.id} is switched off; switch it on, then replay")


def _missing(delivery_id: int) -> NotFound:
    return NotFound(f"no delivery {delivery_id}; old ones are gone (ARQLIGHT_KEEP_DELIVERIES_D)")


def _delivery(row: Any) -> dict[str, Any]:
    job_id = row.job_id or Due(row.endpoint_id, row.message_id, row.run).job_id
    return {
        "id": row.id, "endpoint_id": row.endpoint_id, "message_id": row.message_id, "event": row.event,
        "customer": row.customer, "state": row.state, "attempt": row.attempt, "job_id": job_id,
        "next_at": _iso(row.next_at), **_answer(row),
    }  # fmt: skip


def _attempt(row: Any) -> dict[str, Any]:
    return {"attempt": row.attempt, "job_id": row.job_id, **_answer(row)}


def _answer(row: Any) -> dict[str, Any]:
    return {"status": row.status, "error": row.error, "answer": row.answer, "duration_ms": row.duration_ms,
            "at": _iso(row.at)}  # fmt: skip


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None
