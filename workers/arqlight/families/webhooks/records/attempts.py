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
    """An attempt that may be made now."""

    delivery: Any
    job_id: str
    url: str
    body: str
    keys: list[str]
    is_probe: bool
    now: datetime

    @property
    def age_s(self) -> float:
        """How long ago this run of the delivery began."""
        return float((self.now - self.delivery.run_at).total_seconds())


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
        endpoint = await endpoints.lock(connection, endpoint_id)
        if endpoint is None:
            raise EndpointOff(str(endpoints.missing(endpoint_id)))
        own = (deliveries.c.endpoint_id == endpoint_id) & (deliveries.c.message_id == message_id)
        query = select(deliveries, webhook_events.c.body, func.now().label("now")).join(webhook_events).where(own)
        delivery = (await connection.execute(query)).first()
        if delivery is None:
            raise EventGone(f"event {message_id!r} is kept no longer (ARQLIGHT_KEEP_DELIVERIES_D)")
        if delivery.run != run or delivery.state == "delivered":
            return None
        breaker = Breaker(endpoint.unanswered, endpoint.paused_until)
        wait = await _wait(connection, endpoint, delivery, breaker) if endpoint.enabled else None
        if not endpoint.enabled:
            await endpoints.hold_pending(connection, endpoint_id)
        elif wait is None and breaker.probes:
            await _write_breaker(connection, endpoint_id, breaker.probed(delivery.now, takes_s))
        due = delivery.now + timedelta(seconds=wait.defer_score / 1000 if wait and wait.defer_score else takes_s)
        if endpoint.enabled:
            values = {"state": "pending", "next_at": due, "job_id": job_id}
            await connection.execute(update(deliveries).where(deliveries.c.id == delivery.id).values(values))
        signing = await signing_secrets.signing(connection, keys, endpoint_id)
    if not endpoint.enabled:
        raise EndpointOff(
            f"endpoint {endpoint_id} ({host_of(endpoint.url)}) is switched off: "
            f"{endpoint.disabled_reason or 'by hand'}; event {message_id} is kept for a replay"
        )
    if wait is not None:
        raise wait
    return Begun(delivery, job_id, endpoint.url, delivery.body, signing, breaker.probes, delivery.now)


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
    delivery = begun.delivery
    row = {
        "attempt": attempt, "status": answer.status if answer else None, "duration_ms": duration_ms,
        "answer": answer.text.replace("\0", "") if answer else "",
        "error": clean(f"{type(problem).__name__}: {problem}".replace("\0", ""), 500) if problem else None,
    }  # fmt: skip
    async with database.begin() as connection:
        endpoint = await endpoints.lock(connection, delivery.endpoint_id)
        now = (await connection.execute(select(func.now()))).scalar_one()
        if endpoint is None:  # deleted meanwhile: nothing to write to
            return Ended("keep", "", None, None)
        ended = _judge(endpoint, now, answer, problem, disable_after_d)
        is_off = ended.verdict == "disable" or not endpoint.enabled
        state = "delivered" if problem is None else "failed" if wait_s is None else "held" if is_off else "pending"
        next_at = now + timedelta(seconds=wait_s or 0) if state == "pending" else None
        here = (deliveries.c.id == delivery.id) & (deliveries.c.run == delivery.run)
        written = update(deliveries).where(here).values(**row, state=state, next_at=next_at, at=now)
        if (await connection.execute(written)).rowcount:  # else a replay has begun another run meanwhile
            tried = insert(table).values(**row, delivery_id=delivery.id, job_id=begun.job_id, at=now)
            await connection.execute(tried)
        await connection.execute(
            update(webhook_endpoints)
            .where(webhook_endpoints.c.id == endpoint.id)
            .values(_health(endpoint, now, begun, answer, problem, ended))
        )
        if is_off:
            await endpoints.hold_pending(connection, endpoint.id)
        has_ended = state in ("delivered", "failed")
        following = await lines.next_in_line(connection, delivery, endpoint.ordering) if has_ended else None
    return Ended(ended.verdict, ended.reason, ended.failing_since, following)


async def _wait(connection: AsyncConnection, endpoint: Any, delivery: Any, breaker: Breaker) -> NotYet | None:
    if wait_s := breaker.wait_s(delivery.now):
        # Spread over a tenth, by when each was raised, or all would come back at once.
        return NotYet(wait_s * (1 + delivery.id % 100 / 1000), f"endpoint {endpoint.id} does not answer; it is paused")
    earlier = await lines.before(connection, delivery, endpoint.ordering)
    if earlier is None:
        return None
    wait_s = max((earlier.next_at - delivery.now).total_seconds(), LOOK_AGAIN_S)
    return NotYet(wait_s, f"{earlier.message_id} comes before it and is not delivered")


def _judge(endpoint: Any, now: datetime, answer: Answer | None, problem: BaseException | None, after_d: float) -> Ended:
    if problem is None or not endpoint.enabled:
        return Ended("keep", "", None, None)
    since = endpoint.failing_since or now
    if answer is not None and answer.status == 410:
        return Ended("disable", "it answered 410 Gone", since, None)
    what = verdict(since, endpoint.warned_at, now, after_d)
    return Ended(what, f"nothing was taken since {since:%Y-%m-%d %H:%M} UTC", since, None)


def _health(
    endpoint: Any, now: datetime, begun: Begun, answer: Answer | None, problem: BaseException | None, ended: Ended
) -> dict[str, Any]:
    if problem is None:
        return dict(endpoints.WELL)
    breaker = Breaker(endpoint.unanswered, endpoint.paused_until)
    breaker = breaker.after(now, is_answered=answer is not None, is_probe=begun.is_probe)
    values = {
        "failures_in_a_row": endpoint.failures_in_a_row + 1,
        "failing_since": ended.failing_since or endpoint.failing_since or now,
        **_breaker_columns(breaker),
    }
    return values | ({"enabled": False, "disabled_reason": ended.reason} if ended.verdict == "disable" else {})


async def _write_breaker(connection: AsyncConnection, endpoint_id: str, breaker: Breaker) -> None:
    is_it = webhook_endpoints.c.id == endpoint_id
    await connection.execute(update(webhook_endpoints).where(is_it).values(_breaker_columns(breaker)))


def _breaker_columns(breaker: Breaker) -> dict[str, Any]:
    return {"unanswered": breaker.unanswered, "paused_until": breaker.paused_until}
