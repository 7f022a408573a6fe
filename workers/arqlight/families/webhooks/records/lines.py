"""Which deliveries may go now: all, or with an ordering the first of each line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from arqlight.families.webhooks.tables import webhook_deliveries as deliveries
from arqlight.families.webhooks.tables import webhook_endpoints as endpoints


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose job is to be enqueued."""

    endpoint_id: str
    message_id: str
    run: int

    @property
    def job_id(self) -> str:
        """Says which run of which delivery it is, so that none is enqueued twice."""
        return f"{self.message_id}:{self.endpoint_id}" + (f":{self.run}" if self.run else "")


async def first_in_line(connection: AsyncConnection, delivery_ids: Sequence[int]) -> list[Due]:
    """Those of the pending `delivery_ids` that wait for no other one."""
    earlier, own = deliveries.alias("earlier"), deliveries
    waits_behind = (
        select(earlier.c.id)
        .where(_in_one_line(earlier, own, endpoints.c.ordering), earlier.c.id < own.c.id)
        .correlate(own, endpoints)
    )
    query = (
        select(own.c.endpoint_id, own.c.message_id, own.c.run)
        .join(endpoints, endpoints.c.id == own.c.endpoint_id)
        .where(own.c.id.in_(delivery_ids), own.c.state == "pending")
        .where(or_(endpoints.c.ordering == "none", ~waits_behind.exists()))
        .order_by(own.c.id)
    )
    return [Due(*row) for row in await connection.execute(query)]


async def before(connection: AsyncConnection, delivery: Any, ordering: str) -> Any | None:
    """The delivery that this one waits for; None where it is the first."""
    query = _line(delivery, ordering).where(deliveries.c.id < delivery.id)
    return None if ordering == "none" else (await connection.execute(query)).first()


async def next_in_line(connection: AsyncConnection, delivery: Any, ordering: str) -> Due | None:
    """The delivery whose turn it is once this one has ended."""
    if ordering == "none":
        return None
    row = (await connection.execute(_line(delivery, ordering))).first()
    return Due(row.endpoint_id, row.message_id, row.run) if row else None


def _line(delivery: Any, ordering: str) -> Any:
    of_line = [deliveries.c.endpoint_id == delivery.endpoint_id, deliveries.c.state == "pending"]
    if ordering == "customer":
        of_line.append(deliveries.c.customer.is_not_distinct_from(delivery.customer))
    return select(deliveries).where(*of_line).order_by(deliveries.c.id).limit(1)


def _in_one_line(one: Any, other: Any, ordering: ColumnElement[Any]) -> ColumnElement[bool]:
    is_one_customer = one.c.customer.is_not_distinct_from(other.c.customer)
    return and_(
        one.c.endpoint_id == other.c.endpoint_id, one.c.state == "pending", or_(ordering == "endpoint", is_one_customer)
    )
