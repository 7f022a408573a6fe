"""Endpoints that third parties registered, and what was delivered to them."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import any_, delete, func, insert, literal, or_, select, update

from arqlight.errors import InvalidInput, NotFound
from arqlight.families.database import Database
from arqlight.families.webhooks.answers import Answer, parse_url
from arqlight.families.webhooks.network import ForbiddenAddress, check_host
from arqlight.families.webhooks.settings import WebhookSettings
from arqlight.families.webhooks.signing import new_secret
from arqlight.families.webhooks.tables import webhook_deliveries as deliveries
from arqlight.families.webhooks.tables import webhook_endpoints as table
from arqlight.jobs.failure import clean
from arqlight.jobs.secret_texts import hide
from arqlight.jobs.storable_text import check_text
from arqlight.key_ring import KeyRing
from arqlight.settings import Settings

LONGEST_OVERLAP_S = 7 * 24 * 3600
MOST_EVENT_TYPES = 100


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events are delivered to. `event_types` empty takes all."""

    id: str
    url: str
    description: str
    event_types: tuple[str, ...]
    enabled: bool
    disabled_reason: str | None
    failures_in_a_row: int
    created_at: datetime
    old_secret_until: datetime | None

    def to_json(self) -> dict[str, Any]:
        """As the API shows it; never with its secret."""
        until = self.old_secret_until
        return {
            "id": self.id, "url": hide(self.url), "description": self.description,
            "event_types": list(self.event_types),
            "enabled": self.enabled, "disabled_reason": self.disabled_reason,
            "failures_in_a_row": self.failures_in_a_row,
            "created_at": self.created_at.isoformat(timespec="milliseconds"),
            "old_secret_until": until.isoformat(timespec="milliseconds") if until else None,
        }  # fmt: skip


async def register(
    database: Database, keys: KeyRing, settings: Settings, *, url: str, event_types: list[str], description: str = ""
) -> tuple[Endpoint, str]:
    """A new endpoint, and its secret, which is shown this once. Raises InvalidInput."""
    await check_url(url, settings)
    check_event_types(event_types)
    check_text("description", description, 500)
    endpoint_id, secret = f"ep_{secrets.token_hex(8)}", new_secret()
    row = {"id": endpoint_id, "url": url, "description": description, "event_types": event_types,
           "secret": keys.encrypt(secret)}  # fmt: skip
    async with database.begin() as connection:
        await connection.execute(insert(table).values(row))
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


async def find(database: Database, endpoint_id: str) -> Endpoint:
    """One endpoint. Raises NotFound."""
    return (await _read(database, endpoint_id))[0]


async def find_with_keys(database: Database, keys: KeyRing, endpoint_id: str) -> tuple[Endpoint, list[str]]:
    """An endpoint, and the secrets that sign for it: the newest first. Raises NotFound."""
    endpoint, row = await _read(database, endpoint_id)
    signing = [keys.decrypt(row.secret)]
    if row.old_secret and row.old_secret_until > datetime.now(UTC):
        signing.append(keys.decrypt(row.old_secret))
    return endpoint, signing


async def list_endpoints(database: Database) -> list[Endpoint]:
    """All, the oldest first."""
    async with database.begin() as connection:
        return [_endpoint(row) for row in await connection.execute(select(table).order_by(table.c.created_at))]


async def subscribed_to(database: Database, event: str) -> list[str]:
    """The ids of the endpoints that are on and take `event`."""
    takes = or_(literal(event) == any_(table.c.event_types), func.cardinality(table.c.event_types) == 0)
    async with database.begin() as connection:
        return list((await connection.execute(select(table.c.id).where(table.c.enabled, takes))).scalars())


async def change(database: Database, settings: Settings, endpoint_id: str, values: dict[str, Any]) -> Endpoint:
    """Change `url`, `event_types`, `description` or `enabled`. Switching on forgets past failures.

    Raises NotFound, InvalidInput.
    """
    if "url" in values:
        await check_url(values["url"], settings)
    if "event_types" in values:
        check_event_types(values["event_types"])
    check_text("description", values.get("description", ""), 500)
    if values.get("enabled"):
        values = {**values, "disabled_reason": None, "failures_in_a_row": 0}
    async with database.begin() as connection:
        changed = await connection.execute(update(table).where(table.c.id == endpoint_id).values(values))
    if not changed.rowcount:
        raise _missing(endpoint_id)
    return await find(database, endpoint_id)


async def rotate(database: Database, keys: KeyRing, endpoint_id: str, overlap_s: float) -> str:
    """A new secret; the old one signs beside it for `overlap_s` seconds. Raises NotFound, InvalidInput."""
    if not 0 <= overlap_s <= LONGEST_OVERLAP_S:
        raise InvalidInput("overlap_s", f"{overlap_s:g} is not between 0 and {LONGEST_OVERLAP_S}")
    secret = new_secret()
    values = {"old_secret": table.c.secret, "secret": keys.encrypt(secret),
              "old_secret_until": datetime.now(UTC) + timedelta(seconds=overlap_s)}  # fmt: skip
    async with database.begin() as connection:
        changed = await connection.execute(update(table).where(table.c.id == endpoint_id).values(values))
    if not changed.rowcount:
        raise _missing(endpoint_id)
    return secret


async def remove(database: Database, endpoint_id: str) -> None:
    """Delete an endpoint and its deliveries. Raises NotFound."""
    async with database.begin() as connection:
        removed = await connection.execute(delete(table).where(table.c.id == endpoint_id))
    if not removed.rowcount:
        raise _missing(endpoint_id)


async def switch_off(database: Database, endpoint_id: str, reason: str) -> bool:
    """Deliver nothing more to an endpoint; whether it was on."""
    off = update(table).where(table.c.id == endpoint_id, table.c.enabled).values(enabled=False, disabled_reason=reason)
    async with database.begin() as connection:
        return bool((await connection.execute(off)).rowcount)


async def keep_delivery(
    database: Database, endpoint_id: str, message_id: str, event: str, body: str, *, attempt: int, job_id: str,
    answer: Answer | None, problem: Exception | None, duration_ms: int,
) -> int:  # fmt: skip
    """Write down one attempt; how many have failed in a row now, this one included."""
    cause = (problem.__cause__ or problem) if problem else None
    row = {
        "endpoint_id": endpoint_id, "message_id": message_id, "event": event, "body": body, "attempt": attempt,
        "job_id": job_id, "status": answer.status if answer else None, "answer": answer.text if answer else "",
        "error": clean(f"{type(cause).__name__}: {cause}".replace("\0", ""), 500) if cause else None,
        "duration_ms": duration_ms,
    }  # fmt: skip
    row["answer"] = str(row["answer"]).replace("\0", "")
    failures = 0 if problem is None else table.c.failures_in_a_row + 1
    counted = update(table).where(table.c.id == endpoint_id).values(failures_in_a_row=failures)
    async with database.begin() as connection:
        now_failing = (await connection.execute(counted.returning(table.c.failures_in_a_row))).scalar_one_or_none()
        if now_failing is not None:  # deleted meanwhile: nothing to write to
            await connection.execute(insert(deliveries).values(row))
    return now_failing or 0


async def list_deliveries(database: Database, endpoint_id: str, limit: int = 50) -> list[dict[str, Any]]:
    """What was delivered to an endpoint, the newest first."""
    query = (
        select(deliveries).where(deliveries.c.endpoint_id == endpoint_id).order_by(deliveries.c.id.desc()).limit(limit)
    )
    async with database.begin() as connection:
        return [_delivery(row) for row in await connection.execute(query)]


async def find_delivery(database: Database, delivery_id: int) -> dict[str, Any]:
    """One delivery, with its body. Raises NotFound."""
    async with database.begin() as connection:
        row = (await connection.execute(select(deliveries).where(deliveries.c.id == delivery_id))).first()
    if row is None:
        raise NotFound(f"no delivery {delivery_id}; old ones are gone (ARQLIGHT_KEEP_DELIVERIES_D)")
    return _delivery(row) | {"body": row.body}


async def forget_deliveries(database: Database, keep_d: float) -> int:
    """Remove deliveries older than they are kept; how many went."""
    old = delete(deliveries).where(deliveries.c.at < func.now() - timedelta(days=keep_d))
    async with database.begin() as connection:
        return int((await connection.execute(old)).rowcount)


async def tidy(ctx: dict[str, Any]) -> dict[str, int]:
    """What has had its time goes; how much went, by kind."""
    keep_d = ctx["settings"].of(WebhookSettings).keep_deliveries_d
    return {"deliveries": await forget_deliveries(ctx["database"], keep_d)}


async def _read(database: Database, endpoint_id: str) -> tuple[Endpoint, Any]:
    async with database.begin() as connection:
        row = (await connection.execute(select(table).where(table.c.id == endpoint_id))).first()
    if row is None:
        raise _missing(endpoint_id)
    return _endpoint(row), row


def _missing(endpoint_id: str) -> NotFound:
    return NotFound(f"no webhook endpoint {endpoint_id!r}; it may have been deleted")


def _endpoint(row: Any) -> Endpoint:
    return Endpoint(
        row.id, row.url, row.description, tuple(row.event_types), row.enabled, row.disabled_reason,
        row.failures_in_a_row, row.created_at, row.old_secret_until,
    )  # fmt: skip


def _delivery(row: Any) -> dict[str, Any]:
    return {
        "id": row.id, "endpoint_id": row.endpoint_id, "message_id": row.message_id, "event": row.event,
        "attempt": row.attempt, "job_id": row.job_id, "status": row.status, "error": row.error, "answer": row.answer,
        "duration_ms": row.duration_ms, "at": row.at.isoformat(timespec="milliseconds"),
    }  # fmt: skip
