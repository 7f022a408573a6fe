"""What a receiver does in a bad hour: it refuses, hangs, asks for time, fails for days. No event is lost by it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from arq.connections import ArqRedis
from arq.worker import Retry
from standardwebhooks.webhooks import Webhook

from arqlight import task
from arqlight.errors import NotYet
from arqlight.families.webhooks.delivery import TRIES, deliver_event
from arqlight.families.webhooks.owners import DISABLED, FAILING
from arqlight.families.webhooks.records import endpoints, overdue
from arqlight.families.webhooks.records.attempts import EndpointOff
from arqlight.families.webhooks.rules.breaker import OPENS_AFTER
from arqlight.families.webhooks.rules.retries import MOVES_FOR_S
from arqlight.families.webhooks.sending import send_event
from arqlight.journal.journal import Journal, NewJob
from arqlight.runtime.slots import slot
from arqlight.settings import Settings
from tests.conftest import StartWorker
from tests.support.families import hooks
from tests.support.waiting import eventually
from tests.support.webhooks import (
    Receiver,
    days_pass,
    deliver,
    delivery_of,
    raise_event,
    receiving,
    register,
    states,
)

Family = Callable[..., Awaitable[dict[str, Any]]]
WEBHOOKS = "arq:queue:webhooks"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def fails(ctx: dict[str, Any], endpoint: str, message: str, attempt: int = 1) -> BaseException:
    with pytest.raises((Retry, Exception)) as raised:
        await deliver(ctx, endpoint, message, attempt=attempt)
    return raised.value


async def test_a_burst_of_failures_switches_nothing_off_and_every_event_waits_for_its_next_try(
    family: Family, receiver: Receiver
) -> None:
    ctx = await family()
    endpoint, _ = await register(ctx, receiver.url)
    receiver.answer = {"status": 503, "text": "one moment"}
    for number in range(60):
        assert type(await fails(ctx, endpoint, f"msg_{number}")) is Retry
    found = await endpoints.find(ctx["database"], endpoint)
    assert (found.enabled, found.failures_in_a_row) == (True, 60)
    assert await states(ctx, endpoint) == ["pending"] * 60
    receiver.answer = {"text": "fine"}
    assert await deliver(ctx, endpoint, "msg_0", attempt=2) == {"status": 200, "answer": "fine"}
    well = await endpoints.find(ctx["database"], endpoint)
    assert (well.failures_in_a_row, well.failing_since) == (0, None)


@pytest.mark.parametrize("status", [301, 400, 401, 404, 408, 425, 429, 500, 503])
async def test_every_answer_but_2xx_and_gone_is_tried_again(family: Family, receiver: Receiver, status: int) -> None:
    ctx = await family()
    endpoint, _ = await register(ctx, receiver.url)
    receiver.answer = {"status": status, "text": "oh\0no"}
    assert type(await fails(ctx, endpoint, "msg_1")) is Retry
    kept = await delivery_of(ctx, endpoint)
    assert (kept["state"], kept["status"], kept["answer"]) == ("pending", status, "oh\\x00no")


async def test_the_last_try_leaves_the_event_kept(family: Family, receiver: Receiver) -> None:
    ctx = await family()
    endpoint, _ = await register(ctx, receiver.url)
    receiver.answer = {"status": 500}
    assert not isinstance(await fails(ctx, endpoint, "msg_1", attempt=TRIES), Retry)
    assert await states(ctx, endpoint) == ["failed"]


async def test_a_retry_after_spends_no_try_for_three_days(family: Family, receiver: Receiver) -> None:
    ctx = await family()
    endpoint, _ = await register(ctx, receiver.url)
    receiver.answer = {"status": 429, "headers": {"Retry-After": "3"}}
    for _ in range(TRIES + 1):
        assert isinstance(await fails(ctx, endpoint, "msg_1"), NotYet)
    await days_pass(ctx, MOVES_FOR_S / 86_400)
    assert type(await fails(ctx, endpoint, "msg_1")) is Retry, "it is moved without end"


async def test_an_endpoint_that_fails_for_days_is_told_then_switched_off_and_nobody_learns_its_address(
    family: Family, receiver: Receiver, pool: ArqRedis
) -> None:
    ctx = await family(alert_email="ops@example.org")
    url = receiver.url + "/T0K3N-of-ada?key=hidden"
    endpoint, _ = await register(ctx, url, customer="ada", contact="ada@example.org")
    receiver.answer = {"status": 500}

    async def told() -> list[Any]:
        events = await pool.queued_jobs(queue_name=WEBHOOKS)
        return [*events, *await pool.queued_jobs(queue_name="arq:queue:emails")]

    await raise_event(ctx, "msg_1", "ada")
    with pytest.raises(Retry):
        await deliver_event(ctx, endpoint, "msg_1")
    assert await told() == []
    await days_pass(ctx, 2.6)
    for _ in range(2):
        with pytest.raises(Retry):
            await deliver_event(ctx, endpoint, "msg_1")
    assert (await endpoints.find(ctx["database"], endpoint)).enabled, "it was switched off before its owner was told"
    first = await told()
    [event] = [job for job in first if job.function == "send_event"]
    assert (event.kwargs["event"], event.kwargs["payload"]["endpoint"]) == (FAILING, endpoint)
    assert [job.kwargs["to"] for job in first if job.function == "send_email"] == ["ada@example.org", "ops@example.org"]
    await days_pass(ctx, 2.6)
    with pytest.raises(EndpointOff, match="nothing was taken since"):
        await deliver_event(ctx, endpoint, "msg_1")
    found = await endpoints.find(ctx["database"], endpoint)
    assert (found.enabled, await states(ctx, endpoint)) == (False, ["held"])
    assert sum(job.kwargs.get("event") == DISABLED for job in await told()) == 1
    for job in await told():
        assert "customer" not in job.kwargs, "it goes to the platform's own endpoints only"
        assert not any(part in repr(job.kwargs) for part in ("T0K3N", "hidden", "/hook"))
    await raise_event(ctx, "msg_2", "ada")
    assert await states(ctx, endpoint) == ["held", "held"], "an event that was raised meanwhile is not kept"


async def test_an_event_goes_to_its_customer_and_the_platform_and_to_no_other_customer(
    family: Family, receiver: Receiver
) -> None:
    ctx = await family()
    ada, _ = await register(ctx, receiver.url, customer="ada")
    bob, _ = await register(ctx, receiver.url, customer="bob")
    own, _ = await register(ctx, receiver.url)
    await send_event({**ctx, "job_id": "a"}, "licence.issued", {"seat": 1}, "msg_ada", "ada")
    await send_event({**ctx, "job_id": "b"}, "webhook.endpoint.disabled", {}, "msg_none")
    assert [len(await states(ctx, each)) for each in (ada, bob, own)] == [1, 0, 2]


async def test_a_410_switches_the_endpoint_off_at_once(family: Family, receiver: Receiver) -> None:
    ctx = await family()
    endpoint, _ = await register(ctx, receiver.url)
    receiver.answer = {"status": 410, "text": "gone"}
    assert isinstance(await fails(ctx, endpoint, "msg_1"), EndpointOff)
    found = await endpoints.find(ctx["database"], endpoint)
    assert (found.enabled, found.disabled_reason) == (False, "it answered 410 Gone")


async def test_an_endpoint_that_hangs_holds_three_slots_and_other_jobs_run(
    family_settings: Settings, family: Family, receiver: Receiver, start_worker: StartWorker, journal: Journal
) -> None:
    ctx = await family()
    endpoint, _ = await register(ctx, receiver.url)
    receiver.holds = True
    ran: list[int] = []

    @task(queue="high")
    async def code(ctx: dict[str, Any], number: int) -> None:
        ran.append(number)

    for number in range(40):
        await raise_event(ctx, f"msg_{number}")
    told = [{"endpoint_id": endpoint, "message_id": f"msg_{number}"} for number in range(40)]
    await journal.enqueue([NewJob("deliver_event", WEBHOOKS, (), each) for each in told])
    options = {"queues": ["arq:queue:high", WEBHOOKS], "max_jobs": 20, **hooks(family_settings)}
    await start_worker([code, deliver_event], **options)
    await eventually(lambda: receiver.held == 3)
    await journal.enqueue([NewJob("code", "arq:queue:high", (n,)) for n in range(20)])
    await eventually(lambda: len(ran) == 20)
    assert (receiver.held, receiver.most_held) == (3, 3)
    receiver.holds = False
    receiver.let_go.set()
    await eventually(lambda: _are(ctx, endpoint, ["delivered"] * 40), 30)


async def test_however_many_endpoints_hang_a_quarter_of_a_workers_slots_is_left_for_other_jobs(
    family_settings: Settings, family: Family, receiver: Receiver, start_worker: StartWorker, journal: Journal
) -> None:
    ctx = await family()
    receiver.holds = True
    ran: list[int] = []

    @task(queue="high")
    async def code(ctx: dict[str, Any], number: int) -> None:
        ran.append(number)

    for _ in range(8):
        await register(ctx, receiver.url)
    for number in range(4):
        await send_event({**ctx, "job_id": str(number)}, "licence.issued", number)
    settings = family_settings.changed(max_jobs=8)
    options = {"queues": ["arq:queue:high", WEBHOOKS], "max_jobs": 8, **hooks(settings)}
    await start_worker([code, deliver_event], **options)
    await eventually(lambda: receiver.held == 6)
    await journal.enqueue([NewJob("code", "arq:queue:high", (n,)) for n in range(20)])
    await eventually(lambda: len(ran) == 20)
    assert receiver.most_held == 6


async def test_a_signature_has_the_time_of_the_database_where_a_workers_clock_is_an_hour_off(
    family: Family, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    class HourAhead(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "datetime":  # type: ignore[override]
            return datetime.now(tz) + timedelta(hours=1)

    ctx = await family()
    endpoint, secret = await register(ctx, receiver.url)
    for module in ("signing", "delivery"):
        monkeypatch.setattr(f"arqlight.families.webhooks.{module}.datetime", HourAhead)
    await deliver(ctx, endpoint)
    [(headers, body)] = receiver.got
    Webhook(secret).verify(body, headers)


async def _are(ctx: dict[str, Any], endpoint: str, wanted: list[str]) -> bool:
    return await states(ctx, endpoint) == wanted


async def test_one_that_does_not_answer_is_paused_and_asked_by_one_delivery_at_a_time(
    family: Family, receiver: Receiver
) -> None:
    ctx = await family(webhook_timeout_s=0.02)
    endpoint, _ = await register(ctx, receiver.url)
    receiver.holds = True
    for number in range(OPENS_AFTER):
        assert type(await fails(ctx, endpoint, f"msg_{number}")) is Retry
    waits = await fails(ctx, endpoint, "msg_waits")
    assert isinstance(waits, NotYet)
    assert waits.defer_score is not None
    assert 29_000 < waits.defer_score < 40_000
    assert len(receiver.got) == OPENS_AFTER, "it was asked while the breaker was open"
    shown = (await endpoints.find(ctx["database"], endpoint)).to_json()
    assert shown["paused_until"] is not None
    await days_pass(ctx, 0.01)
    receiver.holds = False
    assert await deliver(ctx, endpoint, "msg_probe") == {"status": 200, "answer": "thanks"}
    assert (await endpoints.find(ctx["database"], endpoint)).to_json()["paused_until"] is None
    assert await deliver(ctx, endpoint, "msg_waits") == {"status": 200, "answer": "thanks"}


async def test_a_slot_of_a_worker_that_died_is_free_again(settings: Settings, pool: ArqRedis) -> None:
    async with slot(pool, settings, "a limit", 1, 0.05):
        with pytest.raises(NotYet):
            async with slot(pool, settings, "a limit", 1, 60):
                raise AssertionError("two held one slot")

        async def is_free() -> bool:
            try:
                async with slot(pool, settings, "a limit", 1, 60):
                    return True
            except NotYet:
                return False

        await eventually(is_free)


async def test_those_who_wait_for_a_slot_come_back_one_after_the_other(settings: Settings, pool: ArqRedis) -> None:
    async with slot(pool, settings, "slow", 1, 60):
        waits = []
        for _ in range(3):
            await pool.hset("arqlight:slot-line:slow", "took", "10000")  # type: ignore[misc]
            with pytest.raises(NotYet) as turn:
                async with slot(pool, settings, "slow", 1, 60):
                    pass
            waits.append(turn.value.defer_score or 0)
    assert 9_000 < waits[0] < 13_000
    assert waits[1] - waits[0] > 5_000, "they come back together"
    assert waits[2] < 37_000


@pytest.mark.parametrize(("ordering", "goes"), [("endpoint", [0]), ("customer", [0, 1]), ("none", [0, 1, 2])])
async def test_in_an_ordering_one_event_follows_the_other(
    family: Family, receiver: Receiver, pool: ArqRedis, ordering: Any, goes: list[int]
) -> None:
    ctx = await family()
    endpoint, _ = await register(ctx, receiver.url, ordering=ordering)
    for number, customer in enumerate(("ada", "bob", "ada")):
        await send_event({**ctx, "job_id": f"j{number}"}, "licence.issued", number, f"msg_{number}", customer)

    async def enqueued() -> list[int]:
        jobs = await pool.queued_jobs(queue_name=WEBHOOKS)
        return sorted(int(job.kwargs["message_id"][4:]) for job in jobs)

    assert await enqueued() == goes
    receiver.answer = {"status": 503}
    with pytest.raises(Retry):
        await deliver_event(ctx, endpoint, "msg_0")
    receiver.answer = {"text": "fine"}
    if ordering != "none":
        with pytest.raises(NotYet) as turn:
            await deliver_event(ctx, endpoint, "msg_2")
        assert turn.value.why == "msg_0 comes before it and is not delivered"
    await deliver_event(ctx, endpoint, "msg_0")
    following = {"endpoint": 1, "customer": 2, "none": 2}[ordering]
    assert following in await enqueued(), "the next one waits for ever"
    assert await deliver_event(ctx, endpoint, f"msg_{following}") == {"status": 200, "answer": "fine"}


async def test_a_delivery_whose_job_was_lost_is_taken_up_again(
    family: Family, receiver: Receiver, pool: ArqRedis, journal: Journal
) -> None:
    from arqlight.families.webhooks.replaying import enqueue_overdue

    ctx = await family()
    await register(ctx, receiver.url)
    await raise_event(ctx, "msg_1")
    assert await enqueue_overdue(ctx) == {"enqueued": 0}, "it is not overdue yet"
    await days_pass(ctx, 0.01)
    assert await enqueue_overdue(ctx) == {"enqueued": 1}
    await days_pass(ctx, 0.01)
    assert await enqueue_overdue(ctx) == {"enqueued": 0}, "its job is there"
    await days_pass(ctx, overdue.GIVEN_UP_AFTER_D)
    await pool.flushdb()
    assert await enqueue_overdue(ctx) == {"enqueued": 0}


async def test_what_is_held_is_tried_when_its_job_is_retried_by_hand_and_the_next_in_line_waits_for_it(
    family: Family, receiver: Receiver
) -> None:
    ctx = await family()
    endpoint, _ = await register(ctx, receiver.url, ordering="endpoint")
    await raise_event(ctx, "msg_1")
    await endpoints.change(ctx["database"], ctx["settings"], endpoint, {"enabled": False})
    assert isinstance(await fails(ctx, endpoint, "msg_1"), EndpointOff)
    await endpoints.change(ctx["database"], ctx["settings"], endpoint, {"enabled": True})
    await raise_event(ctx, "msg_2")
    receiver.holds = True
    first = asyncio.create_task(deliver(ctx, endpoint, "msg_1"))
    await eventually(lambda: receiver.held == 1)
    assert isinstance(await fails(ctx, endpoint, "msg_2"), NotYet)
    receiver.let_go.set()
    assert (await first)["status"] == 200
    assert (await deliver(ctx, endpoint, "msg_2"))["status"] == 200


async def test_a_job_that_runs_twice_delivers_once(family: Family, receiver: Receiver) -> None:
    ctx = await family()
    endpoint, _ = await register(ctx, receiver.url)
    await deliver(ctx, endpoint)
    assert (await deliver(ctx, endpoint))["status"] == 0
    assert len(receiver.got) == 1
