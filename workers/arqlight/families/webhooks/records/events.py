"""Events, kept for every endpoint that takes them, whether it is on or not."""

import re
from dataclasses import dataclass

from sqlalchemy import Text, any_, case, func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert

from arqlight.errors import InvalidInput
from arqlight.families.database import Database
from arqlight.families.webhooks.records.lines import Due, first_in_line
from arqlight.families.webhooks.tables import webhook_deliveries as deliveries
from arqlight.families.webhooks.tables import webhook_endpoints as endpoints
from arqlight.families.webhooks.tables import webhook_events as table

_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.:-]{0,99}")


@dataclass(frozen=True, slots=True)
class Kept:
    """An event that is kept: for how many endpoints, and the deliveries to begin with."""

    endpoints: int
    due: list[Due]


def check_message_id(message_id: str) -> None:
    """Raises InvalidInput."""
    if not _ID.fullmatch(message_id):
        raise InvalidInput("id", f"{message_id[:100]!r} is no id of an event; use 1 to 100 of A-Z a-z 0-9 _ . : -")


async def keep_event(database: Database, message_id: str, event: str, body: str, customer: str | None) -> Kept:
    """Keep an event with a delivery for each endpoint that takes it: its customer's, and the platform's own.

    Under an id that is known nothing is kept anew; what was not begun of it is due again.
    """
    takes = or_(literal(event) == any_(endpoints.c.event_types), func.cardinality(endpoints.c.event_types) == 0)
    may_know = or_(endpoints.c.customer.is_(None), endpoints.c.customer == literal(customer, Text))
    new = {"id": message_id, "event": event, "body": body, "customer": customer}
    is_on = endpoints.c.enabled
    rows = {
        "endpoint_id": endpoints.c.id,
        "message_id": literal(message_id),
        "event": literal(event),
        "customer": literal(customer, Text),
        "state": case((is_on, "pending"), else_="held"),
        "next_at": case((is_on, func.now())),
    }
    # Locked: none of them is switched off, and no line comes to its end, while this is not committed.
    taking = select(*rows.values()).where(takes, may_know).order_by(endpoints.c.id).with_for_update(key_share=True)
    async with database.begin() as connection:
        kept_now = insert(table).values(new).on_conflict_do_nothing().returning(table.c.id)
        if (await connection.execute(kept_now)).first():
            await connection.execute(insert(deliveries).from_select(list(rows), taking))
        kept = select(deliveries.c.id, deliveries.c.attempt).where(deliveries.c.message_id == message_id)
        found = (await connection.execute(kept)).all()
        due = await first_in_line(connection, [row.id for row in found if not row.attempt])
    return Kept(len(found), due)
