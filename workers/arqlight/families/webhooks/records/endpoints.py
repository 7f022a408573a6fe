"""Endpoints that third parties registered."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from arqlight.errors import InvalidInput, NotFound
from arqlight.families.database import Database
from arqlight.families.webhooks.answers import parse_url
from arqlight.families.webhooks.network import ForbiddenAddress, check_host
from arqlight.families.webhooks.records import signing_secrets
from arqlight.families.webhooks.rules.breaker import Breaker
from arqlight.families.webhooks.tables import webhook_deliveries as deliveries
from arqlight.families.webhooks.tables import webhook_endpoints as table
from arqlight.jobs.secret_texts import hide
from arqlight.jobs.storable_text import check_text
from arqlight.key_ring import KeyRing
from arqlight.setting_values import check_mail_address
from arqlight.settings import Settings

MOST_EVENT_TYPES = 100
LONGEST_CUSTOMER = 200
Ordering = Literal["none", "endpoint", "customer"]
# What is known of past failures, forgotten.
WELL = {"failures_in_a_row": 0, "failing_since": None, "warned_at": None, "unanswered": 0, "paused_until": None}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events are delivered to. `event_types` empty takes all; without a `customer` it is the platform's own."""

    id: str
    url: str
    description: str
    event_types: tuple[str, ...]
    customer: str | None
    contact: str | None
    ordering: Ordering
    enabled: bool
    disabled_reason: str | None
    failures_in_a_row: int
    failing_since: datetime | None
    warned_at: datetime | None
    breaker: Breaker
    created_at: datetime
    old_secrets: int
    old_secret_until: datetime | None

    def to_json(self) -> dict[str, Any]:
        """As the API shows it; never with its secrets."""
        paused_until = self.breaker.paused_until if self.breaker.probes else None
        return {
            "id": self.id, "url": hide(self.url), "description": self.description,
            "event_types": list(self.event_types), "customer": self.customer, "contact": self.contact,
            "ordering": self.ordering,
            "enabled": self.enabled, "disabled_reason": self.disabled_reason,
            "failures_in_a_row": self.failures_in_a_row, "failing_since": _iso(self.failing_since),
            "owner_told_at": _iso(self.warned_at), "paused_until": _iso(paused_until),
            "created_at": _iso(self.created_at),
            "old_secrets": self.old_secrets, "old_secret_until": _iso(self.old_secret_until),
        }  # fmt: skip


async def register(
    database: Database,
    keys: KeyRing,
    settings: Settings,
    *,
    url: str,
    event_types: list[str],
    description: str = "",
    customer: str | None = None,
    contact: str | None = None,
    ordering: Ordering = "none",
) -> tuple[Endpoint, str]:
    """A new endpoint, and its secret, which is shown this once. Raises InvalidInput."""
    await check_url(url, settings)
    check_event_types(event_types)
    check_text("description", description, 500)
    check_customer(customer)
    _check_contact(contact)
    endpoint_id = f"ep_{secrets.token_hex(8)}"
    row = {"id": endpoint_id, "url": url, "description": description, "event_types": event_types,
           "customer": customer or None, "contact": contact or None, "ordering": ordering}  # fmt: skip
    async with database.begin() as connection:
        await connection.execute(insert(table).values(row))
        secret = await signing_secrets.add(connection, keys, endpoint_id)
    return await find(database, endpoint_id), secret


async def check_url(url: str, settings: Settings) -> None:
    """Raises InvalidInput for what is no address, does not resolve, or resolves to a forbidden one."""
    host, port = parse_url(url)
    try:
        await check_host(host, port, settings)
    except ForbiddenAddress as error:
        raise InvalidInput("url", f"{error}; ARQLIGHT_WEBHOOK_ALLOWED_NETWORKS names what is allowed") from error
    except (OSError, UnicodeError) as error:
        raise InvalidInput("url", f"the name {host!r} does not resolve: {error}") from error


def check_event_types(event_types: list[str]) -> None:
    """Raises InvalidInput."""
    if len(event_types) > MOST_EVENT_TYPES:
        raise InvalidInput("event_types", f"{len(event_types)} are too many; {MOST_EVENT_TYPES} at most")
    for event in event_types:
        if not (0 < len(event) <= 100 and all(part and part.replace("_", "a").isalnum() for part in event.split("."))):
            raise InvalidInput("event_types", f"{event[:100]!r} is no event type; write licence.issued")


def check_customer(customer: str | None) -> None:
    """Raises InvalidInput."""
    check_text("customer", customer or "", LONGEST_CUSTOMER)


async def find(database: Database, endpoint_id: str) -> Endpoint:
    """One endpoint. Raises NotFound."""
    async with database.begin() as connection:
        row = (await connection.execute(_all().where(table.c.id == endpoint_id))).first()
    if row is None:
        raise missing(endpoint_id)
    return _endpoint(row)


async def lock(connection: AsyncConnection, endpoint_id: str) -> Any | None:
    """The row of one endpoint, which nobody else changes until the transaction ends, and `now`; None for none."""
    query = select(table, func.now().label("now")).where(table.c.id == endpoint_id).with_for_update(key_share=True)
    return (await connection.execute(query)).first()


async def list_endpoints(database: Database, customer: str | None = None) -> list[Endpoint]:
    """All, or those of one customer; the oldest first."""
    query = _all().order_by(table.c.created_at, table.c.id)
    if customer:
        query = query.where(table.c.customer == customer)
    async with database.begin() as connection:
        return [_endpoint(row) for row in await connection.execute(query)]


async def change(database: Database, settings: Settings, endpoint_id: str, values: dict[str, Any]) -> Endpoint:
    """Change `url`, `event_types`, `description`, `contact`, `ordering` or `enabled`, never whose it is.

    Switched on, or with another address, it begins anew: past failures are forgotten. Switched off, what waits for it
    is held. Raises NotFound, InvalidInput.
    """
    if "url" in values:
        await check_url(values["url"], settings)
    if "event_types" in values:
        check_event_types(values["event_types"])
    check_text("description", values.get("description", ""), 500)
    _check_contact(values.get("contact"))
    if "contact" in values:
        values = {**values, "contact": values["contact"] or None}
    if values.get("enabled") or "url" in values:
        values = {**values, **WELL}
    if "enabled" in values:
        values = {**values, "disabled_reason": None}
    async with database.begin() as connection:
        changed = await connection.execute(update(table).where(table.c.id == endpoint_id).values(values))
        if not changed.rowcount:
            raise missing(endpoint_id)
        if values.get("enabled") is False:
            await hold_pending(connection, endpoint_id)
    return await find(database, endpoint_id)


async def rotate(
    database: Database, keys: KeyRing, endpoint_id: str, overlap_s: float, *, revoke_older: bool = False
) -> str:
    """A new secret; the one before signs beside it for `overlap_s` seconds, older ones for as long as they had.

    With `revoke_older` those sign no more. Raises NotFound, InvalidInput.
    """
    signing_secrets.check_overlap(overlap_s)
    async with database.begin() as connection:
        if await lock(connection, endpoint_id) is None:
            raise missing(endpoint_id)
        return await signing_secrets.rotate(connection, keys, endpoint_id, overlap_s, revoke_older)


async def remove(database: Database, endpoint_id: str) -> None:
    """Delete an endpoint and its deliveries. Raises NotFound."""
    async with database.begin() as connection:
        removed = await connection.execute(delete(table).where(table.c.id == endpoint_id))
    if not removed.rowcount:
        raise missing(endpoint_id)


async def note_warned(database: Database, endpoint_id: str) -> None:
    """Its owner was told that it fails: from now on it may be switched off in time."""
    async with database.begin() as connection:
        await connection.execute(update(table).where(table.c.id == endpoint_id).values(warned_at=func.now()))


async def note_well(connection: AsyncConnection, endpoint_id: str) -> None:
    """It took something: what is known of failures is forgotten. Of one that is well nothing is written."""
    is_unwell = or_(table.c.failures_in_a_row > 0, table.c.failing_since.is_not(None), table.c.unanswered > 0)
    await connection.execute(update(table).where(table.c.id == endpoint_id, is_unwell).values(WELL))


async def hold_pending(connection: AsyncConnection, endpoint_id: str) -> None:
    """Hold what waits for an endpoint that is off: kept, not tried, to be replayed."""
    of_it = (deliveries.c.endpoint_id == endpoint_id) & (deliveries.c.state == "pending")
    await connection.execute(update(deliveries).where(of_it).values(state="held", next_at=None))


def missing(endpoint_id: str) -> NotFound:
    """What is raised where there is no such endpoint."""
    return NotFound(f"no webhook endpoint {endpoint_id!r}; it may have been deleted")


def _check_contact(contact: str | None) -> None:
    try:
        check_mail_address(check_text("contact", contact or "", 254))
    except ValueError as error:
        raise InvalidInput("contact", str(error)) from None


def _all() -> Any:
    return select(table, *signing_secrets.figures(table.c.id))


def _endpoint(row: Any) -> Endpoint:
    return Endpoint(
        row.id, row.url, row.description, tuple(row.event_types), row.customer, row.contact, row.ordering, row.enabled,
        row.disabled_reason, row.failures_in_a_row, row.failing_since, row.warned_at,
        Breaker(row.unanswered, row.paused_until), row.created_at, row.old_secrets, row.old_secret_until,
    )  # fmt: skip


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None
