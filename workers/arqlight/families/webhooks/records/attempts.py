"""An attempt at a delivery: may it begin, and what came of it. Each is one transaction, by the database's clock."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from arqlight.errors import NotYet, PermanentFailure
from arqlight.families.database import Database
from arqlight.families.webhooks.answers import Answer, host_of
from arqlight.families.webhooks.records import endpoints, lines, signing_secrets
from arqlight.families.webhooks.rules.breaker import Breaker
from arqlight.families.webhooks.rules.disabling import Verdict, verdict
from arqlight.families.webhooks.tables import webhook_attempts as table
from arqlight.families.webhooks.tables import webhook_deliveries as deliveries
from arqlight.families.webhooks.tables import webhook_endpoints, webhook_events
from arqlight.jobs.failure import clean
from arqlight.key_ring import KeyRing

# How soon a delivery looks again whether the one before it in its line has ended. Only one that was overtaken (a replay
# of an older one) waits like this: the others' jobs are enqueued when it is their turn.
LOOK_AGAIN_S = 5.0


class EndpointOff(PermanentFailure):
    """The endpoint was switched off or deleted before the delivery was made. The event is kept for a replay."""


class EventGone(PermanentFailure):
    """The event is kept no longer."""


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt that may be made now. `found` is its row: of the delivery, its event and its endpoint."""

    found: Any
    job_id: str
    keys: list[str]
    is_probe: bool

    @property
    def age_s(self) -> float:
        """How long ago this run of the delivery began."""
        return float((self.found.now - self.found.run_at).total_seconds())


@dataclass(frozen=True, slots=True)
class Ended:
    """What follows from an attempt: for the endpoint, and the next delivery of its line."""

    verdict: Verdict
    reason: str
    failing_since: datetime | None
    following: lines.Due | None


async def begin(
    database: Database, keys: KeyRing, endpoint_id: str, message_id: str, run: int, *, job_id: str, takes_s: float
) -> Begun | None:
    """What to send, or None where there is nothing to do: it was delivered, or a replay began another run.

    :param takes_s: how long the attempt takes at most; so long others wait for what comes of a probe.

    Raises EndpointOff, EventGone; NotYet while the endpoint's circuit breaker is open, or an earlier one of its line
    is not delivered.
    """
    async with database.begin() as connection:
        found = await _read(connection, endpoint_id, message_id)
        if found.run != run or found.state == "delivered":
            return None
        if Breaker(found.unanswered, found.paused_until).probes and await endpoints.lock(connection, endpoint_id):
            found = await _read(connection, endpoint_id, message_id)  # one at a time finds it without a probe
        breaker = Breaker(found.unanswered, found.paused_until)
        wait = None
        if not found.enabled:
            await endpoints.hold_pending(connection, endpoint_id)
        else:
            wait = await _wait(connection, found, breaker)
            if wait is None and breaker.probes:
                await _write_breaker(connection, endpoint_id, breaker.probed(found.now, takes_s))
            if found.state != "pending":  # its job was retried by hand, or waited while the endpoint was off
                again = {"state": "pending", "next_at": func.now()}
                await connection.execute(update(deliveries).where(deliveries.c.id == found.id).values(again))
    if not found.enabled:
        raise EndpointOff(
            f"endpoint {endpoint_id} ({host_of(found.url)}) is switched off: "
            f"{found.disabled_reason or 'disabled manually'}; event {message_id} is kept for a replay"
        )
    if wait is not None:
        raise wait
    return Begun(found, job_id, [keys.decrypt(secret) for secret in found.secrets], breaker.probes)


async def end(
    database: Database,
    begun: Begun,
    *,
    attempt: int,
    answer: Answer | None,
    problem: BaseException | None,
    wait_s: float | None,
    duration_ms: int,
    disable_after_d: float,
) -> Ended:
    """Write down what came of an attempt, and decide what becomes of the endpoint.

    :param problem: why it failed; None for one that was taken.
    :param wait_s: seconds until it is tried again; None for never.
    """
    row = {
        "attempt": attempt, "status": answer.status if answer else None, "duration_ms": duration_ms,
        "answer": answer.text.replace("\0", "") if answer else "", "job_id": begun.job_id,
        "error": clean(f"{type(problem).__name__}: {problem}".replace("\0", ""), 500) if problem else None,
    }  # fmt: skip
    async with database.begin() as connection:
        if problem is None:
            return await _taken(connection, begun, row)
        return await _failed(connection, begun, row, answer, wait_s, disable_after_d)


async def _taken(connection: AsyncConnection, begun: Begun, row: dict[str, Any]) -> Ended:
    found = begun.found
    if found.ordering != "none":  # of a line, nobody is to come to its end meanwhile
        await endpoints.lock(connection, found.endpoint_id)
    await _write(connection, begun, row, "delivered", None)
    await endpoints.note_well(connection, found.endpoint_id)
    return Ended("keep", "", None, await lines.next_in_line(connection, found, found.ordering))


async def _failed(
    connection: AsyncConnection,
    begun: Begun,
    row: dict[str, Any],
    answer: Answer | None,
    wait_s: float | None,
    disable_after_d: float,
) -> Ended:
    endpoint = await endpoints.lock(connection, begun.found.endpoint_id)
    if endpoint is None:  # deleted meanwhile: nothing to write to
        return Ended("keep", "", None, None)
    since = endpoint.failing_since or endpoint.now
    what = verdict(since, endpoint.warned_at, endpoint.now, disable_after_d)
    reason = f"nothing was taken since {since:%Y-%m-%d %H:%M} UTC"
    if answer is not None and answer.status == 410:
        what, reason = "disable", "it answered 410 Gone"
    if not endpoint.enabled:
        what = "keep"
    is_off = what == "disable" or not endpoint.enabled
    breaker = Breaker(endpoint.unanswered, endpoint.paused_until)
    breaker = breaker.after(endpoint.now, is_answered=answer is not None, is_probe=begun.is_probe)
    health = {"failures_in_a_row": endpoint.failures_in_a_row + 1, "failing_since": since, **_columns(breaker)}
    if what == "disable":
        health |= {"enabled": False, "disabled_reason": reason}
    is_it = webhook_endpoints.c.id == endpoint.id
    await connection.execute(update(webhook_endpoints).where(is_it).values(health))
    if wait_s is None:
        await _write(connection, begun, row, "failed", None)
    else:
        await _write(connection, begun, row, "pending", endpoint.now + timedelta(seconds=wait_s))
    if is_off:
        await endpoints.hold_pending(connection, endpoint.id)
    following = await lines.next_in_line(connection, begun.found, endpoint.ordering) if wait_s is None else None
    return Ended(what, reason, since, following)


async def _write(
    connection: AsyncConnection, begun: Begun, row: dict[str, Any], state: str, next_at: datetime | None
) -> None:
    found = begun.found
    here = (deliveries.c.id == found.id) & (deliveries.c.run == found.run)
    written = update(deliveries).where(here).values(**row, state=state, next_at=next_at, at=func.now())
    if (await connection.execute(written)).rowcount:  # else a replay has begun another run, or it was deleted
        await connection.execute(insert(table).values(**row, delivery_id=found.id))


async def _read(connection: AsyncConnection, endpoint_id: str, message_id: str) -> Any:
    """A delivery with its event and its endpoint, in one row. Raises EndpointOff, EventGone."""
    query = (
        select(  # type: ignore[call-overload]
            deliveries.c["id", "endpoint_id", "message_id", "customer", "state", "run", "run_at"],
            webhook_events.c.body,
            webhook_endpoints.c["url", "ordering", "enabled", "disabled_reason", "unanswered", "paused_until"],
            signing_secrets.signing(webhook_endpoints.c.id),
            func.now().label("now"),
        )
        .join(webhook_events, webhook_events.c.id == deliveries.c.message_id)
        .join(webhook_endpoints, webhook_endpoints.c.id == deliveries.c.endpoint_id)
        .where(deliveries.c.endpoint_id == endpoint_id, deliveries.c.message_id == message_id)
    )
    if (found := (await connection.execute(query)).first()) is not None:
        return found
    if (await connection.execute(select(webhook_endpoints.c.id).where(webhook_endpoints.c.id == endpoint_id))).first():
        raise EventGone(f"event {message_id!r} is kept no longer (ARQLIGHT_KEEP_DELIVERIES_D)")
    raise EndpointOff(str(endpoints.missing(endpoint_id)))


async def _wait(connection: AsyncConnection, found: Any, breaker: Breaker) -> NotYet | None:
    if wait_s := breaker.wait_s(found.now):
        wait_s *= 1 + found.id % 100 / 1000  # spread over a tenth, or all would come back at once
        return NotYet(wait_s, f"endpoint {found.endpoint_id} does not answer; it is paused")
    earlier = await lines.before(connection, found, found.ordering)
    if earlier is None:
        return None
    wait_s = max((earlier.next_at - found.now).total_seconds(), LOOK_AGAIN_S)
    return NotYet(wait_s, f"{earlier.message_id} comes before it and is not delivered")


async def _write_breaker(connection: AsyncConnection, endpoint_id: str, breaker: Breaker) -> None:
    is_it = webhook_endpoints.c.id == endpoint_id
    await connection.execute(update(webhook_endpoints).where(is_it).values(_columns(breaker)))


def _columns(breaker: Breaker) -> dict[str, Any]:
    return {"unanswered": breaker.unanswered, "paused_until": breaker.paused_until}
