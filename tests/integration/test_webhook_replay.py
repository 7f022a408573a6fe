"""Replay: one event, a range, all that failed; what is kept, and for how long."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from arq.connections import ArqRedis
from arq.worker import Retry
from sqlalchemy import text

from arqlight.families.webhooks.delivery import TRIES, deliver_event
from arqlight.families.webhooks.records import endpoints
from arqlight.families.webhooks.records.retention import tidy
from arqlight.families.webhooks.replaying import ReplayMissing, replay_deliveries
from arqlight.families.webhooks.sending import send_event
from arqlight.settings import Settings
from arqlight_service.app import create_app
from tests.conftest import Client, StartWorker
from tests.support.families import hooks
from tests.support.waiting import eventually
from tests.support.webhooks import Receiver, days_pass, deliver, raise_event, receiving, register, states

Family = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def site(family_settings: Settings, pool: ArqRedis) -> AsyncIterator[Client]:
    async with TestClient(TestServer(create_app(family_settings))) as client:
        yield client


async def _replay(site: Client, endpoint: str, body: Any) -> tuple[int, Any]:
    answer = await site.post(f"/api/v1/webhooks/{endpoint}/replay", json=body)
    return answer.status, await answer.json()


async def test_what_failed_and_what_was_raised_while_it_was_off_is_replayed_under_its_own_id(
    family: Family, family_settings: Settings, receiver: Receiver, site: Client, start_worker: StartWorker
) -> None:
    ctx = await family()
    endpoint, _ = await register(ctx, receiver.url)
    await deliver(ctx, endpoint, "msg_well")
    receiver.answer = {"status": 503}
    with pytest.raises(Exception, match="503"):
        await deliver(ctx, endpoint, "msg_failed", attempt=TRIES)
    await endpoints.change(ctx["database"], ctx["settings"], endpoint, {"enabled": False})
    await raise_event(ctx, "msg_held")
    status, refused = await _replay(site, endpoint, {"failed": True})
    assert (status, "switch it on" in refused["detail"]) == (409, True)
    await endpoints.change(ctx["database"], ctx["settings"], endpoint, {"enabled": True})
    receiver.answer, before = {"text": "fine"}, len(receiver.got)
    status, replay = await _replay(site, endpoint, {"failed": True})
    assert (status, replay["total"]) == (202, 2)
    await start_worker([deliver_event, replay_deliveries], queues=["arq:queue:webhooks"], **hooks(family_settings))
    await eventually(lambda: _are(ctx, endpoint, ["delivered"] * 3))
    assert sorted(receiver.ids()[before:]) == ["msg_failed", "msg_held"]

    async def ended() -> Any:
        [shown] = (await (await site.get(f"/api/v1/webhooks/{endpoint}/replays")).json())["items"]
        return shown if shown["state"] == "done" else None

    assert (await eventually(ended))["done"] == 2
    audit = (await (await site.get("/api/v1/audit")).json())["items"]
    assert f"replay deliveries of webhook endpoint {endpoint}" in [entry["what"] for entry in audit]


async def _are(ctx: dict[str, Any], endpoint: str, wanted: list[str]) -> bool:
    return await states(ctx, endpoint) == wanted


async def test_one_event_and_a_range_are_replayed_delivered_or_not(
    family: Family, receiver: Receiver, site: Client
) -> None:
    ctx = await family()
    endpoint, _ = await register(ctx, receiver.url)
    await deliver(ctx, endpoint, "msg_old")
    await days_pass(ctx, 2)
    await deliver(ctx, endpoint, "msg_new")
    await raise_event(ctx, "msg_waits")  # on its way: left alone
    totals = {}
    async with ctx["database"].begin() as connection:
        since = (await connection.execute(text("SELECT now() - interval '1 day'"))).scalar_one().isoformat()
    for name, body in {
        "one": {"message_id": "msg_old"}, "new": {"since": since}, "old": {"until": since},
        "failed": {"since": since, "failed": True},
    }.items():  # fmt: skip
        status, replay = await _replay(site, endpoint, body)
        assert status == 202, replay
        totals[name] = replay["total"]
        await replay_deliveries(ctx, replay["id"])
        assert (await replay_deliveries(ctx, replay["id"]))["done"] == replay["total"], "a second run did it again"
        for message in ("msg_old", "msg_new"):
            await _deliver_now(ctx, endpoint, message)
    assert totals == {"one": 1, "new": 1, "old": 1, "failed": 0}
    assert receiver.ids() == ["msg_old", "msg_new", "msg_old", "msg_new", "msg_old"]


async def _deliver_now(ctx: dict[str, Any], endpoint: str, message: str) -> None:
    """Whatever run it is in."""
    async with ctx["database"].begin() as connection:
        query = text("SELECT run FROM arqlight.webhook_deliveries WHERE message_id = :message")
        run = (await connection.execute(query, {"message": message})).scalar_one()
    await deliver_event(ctx, endpoint, message, run)


async def test_a_replay_takes_over_from_the_run_that_waits(family: Family, receiver: Receiver, site: Client) -> None:
    ctx = await family()
    endpoint, _ = await register(ctx, receiver.url)
    receiver.answer = {"status": 503}
    with pytest.raises(Exception):  # noqa: B017, PT011 - a Retry has no text
        await deliver(ctx, endpoint)
    receiver.answer = {"text": "fine"}
    _, replay = await _replay(site, endpoint, {"failed": True})
    await replay_deliveries(ctx, replay["id"])
    assert (await deliver_event(ctx, endpoint, "msg_1", 0))["status"] == 0, "both runs deliver"
    assert (await deliver_event(ctx, endpoint, "msg_1", 1))["status"] == 200


async def test_a_replay_goes_on_in_groups_and_ends_when_the_endpoint_is_switched_off(
    family: Family, receiver: Receiver, site: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.families.webhooks.records.replays.GROUP", 2)
    ctx = await family()
    endpoint, _ = await register(ctx, receiver.url)
    for number in range(5):
        await deliver(ctx, endpoint, f"msg_{number}")
    _, replay = await _replay(site, endpoint, {"since": "2000-01-01"})
    assert await replay_deliveries(ctx, replay["id"]) == {"replay": replay["id"], "done": 5}
    _, other = await _replay(site, endpoint, {"message_id": "msg_0"})
    assert other["status"] == 404, "what waits for its first attempt is on its way"
    for number in range(5):
        await deliver_event(ctx, endpoint, f"msg_{number}", 1)
    _, other = await _replay(site, endpoint, {"since": "2000-01-01"})
    await endpoints.change(ctx["database"], ctx["settings"], endpoint, {"enabled": False})
    with pytest.raises(ReplayMissing, match="is switched off"):
        await replay_deliveries(ctx, other["id"])


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [({}, 422, "failed"), ({"failed": False}, 422, "failed"), ({"since": "soon"}, 422, "since"),
     ({"until": 10**30}, 422, "until"), ({"since": "0001-01-01T00:00:00+23:59"}, 422, "since"),
     ({"since": "9999-12-31T23:59:59-23:59"}, 422, "since"), ({"message_id": "a\0b"}, 422, "message_id"),
     ({"message_id": "m", "failed": True}, 422, "message_id"), ({"message_id": "unknown"}, 404, None),
     ({"since": "2026-01-02", "until": "2026-01-01"}, 422, "until"), ({"all": True}, 422, "all")],
)  # fmt: skip
async def test_a_replay_that_says_nothing_clear_is_refused_with_the_field(
    family: Family, receiver: Receiver, site: Client, body: Any, status: int, field: str | None
) -> None:
    endpoint, _ = await register(await family(), receiver.url)
    answered, problem = await _replay(site, endpoint, body)
    assert (answered, problem.get("field")) == (status, field), problem


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [("events", {"event": "a", "id": "a b"}, "id"), ("events", {"event": "a", "id": ""}, None),
     ("events", {"event": "a", "customer": "x" * 201}, "customer"), ("events", {"event": "a", "customer": "\0"}, "customer"),
     ("webhooks", {"url": "http://127.0.0.1:9/", "contact": "nobody"}, "contact"),
     ("webhooks", {"url": "http://127.0.0.1:9/", "customer": "\ud800"}, "customer"),
     ("webhooks", {"url": "http://127.0.0.1:9/", "ordering": "random"}, "ordering"),
     ("webhooks/ep/rotate", {"overlap_s": 10**400}, "overlap_s"), ("webhooks/ep/rotate", {"overlap_s": 2**64}, "overlap_s"),
     ("webhooks/ep", {"customer": "bob"}, "customer")],
)  # fmt: skip
async def test_bad_input_is_refused_with_the_field(site: Client, path: str, body: Any, field: str | None) -> None:
    answer = await site.post(f"/api/v1/{path}", json=body)
    problem = await answer.json()
    if field is None:
        assert answer.status == 202, problem
    else:
        assert (answer.status, problem.get("field")) == (422, field), problem


async def test_lists_of_deliveries_take_no_number_beyond_64_bit(
    family: Family, receiver: Receiver, site: Client
) -> None:
    endpoint, _ = await register(await family(), receiver.url)
    path = f"/api/v1/webhooks/{endpoint}/deliveries"
    for query in (f"before={2**63}", "before=0", f"limit={10**30}", "state=lost"):
        assert (await site.get(f"{path}?{query}")).status == 400, query
    assert (await site.get(f"{path}?before={2**63 - 1}&state=failed&limit=1")).status == 200


async def test_an_event_is_kept_once_it_is_answered_and_once_only_under_its_id(
    family: Family, receiver: Receiver, site: Client
) -> None:
    ctx = await family()
    endpoint, _ = await register(ctx, receiver.url, customer="ada")
    event = {"event": "licence.issued", "payload": {"n": 2**70}, "customer": "ada", "id": "order-7"}
    first = await (await site.post("/api/v1/events", json=event)).json()
    assert first["message_id"] == "order-7"
    assert await states(ctx, endpoint) == ["pending"], "it is kept before any job runs"
    assert (await site.post("/api/v1/events", json=event)).status == 202
    for job in (first["id"], "another"):
        await send_event({**ctx, "job_id": job}, "licence.issued", event["payload"], "order-7", "ada")
    assert await states(ctx, endpoint) == ["pending"]
    await deliver_event(ctx, endpoint, "order-7")
    assert str(2**70).encode() in receiver.got[0][1]


async def test_the_api_shows_a_customers_endpoints_and_each_attempt(
    family: Family, receiver: Receiver, site: Client
) -> None:
    ctx = await family()
    ada, _ = await register(ctx, receiver.url, customer="ada")
    bob, _ = await register(ctx, receiver.url, customer="bob")
    found = (await (await site.get("/api/v1/webhooks?customer=bob")).json())["items"]
    assert [each["id"] for each in found] == [bob]
    await raise_event(ctx, "msg_1", "ada")
    receiver.answer = {"status": 503}
    for _ in range(2):
        with pytest.raises(Retry):
            await deliver_event(ctx, ada, "msg_1")
    path = f"/api/v1/webhooks/{ada}/deliveries?state=pending"
    [delivery] = (await (await site.get(path)).json())["items"]
    attempts = (await (await site.get(f"/api/v1/deliveries/{delivery['id']}/attempts")).json())["items"]
    assert [each["status"] for each in attempts] == [503, 503]
    changed = await site.patch(f"/api/v1/webhooks/{ada}", json={"contact": "ada@example.org", "ordering": "customer"})
    assert ((await changed.json())["contact"], (await changed.json())["ordering"]) == ("ada@example.org", "customer")


async def test_events_are_kept_for_as_long_as_the_setting_says_and_none_goes_that_is_tried(
    family: Family, receiver: Receiver
) -> None:
    ctx = await family(keep_deliveries_d=10)
    endpoint, _ = await register(ctx, receiver.url)
    await endpoints.rotate(ctx["database"], ctx["keys"], endpoint, 60)
    await deliver(ctx, endpoint, "msg_old")
    await raise_event(ctx, "msg_waits")
    await days_pass(ctx, 11)
    await deliver(ctx, endpoint, "msg_new")
    assert await tidy(ctx) == {"webhook_events": 1, "webhook_secrets": 1, "webhook_replays": 0}
    assert await states(ctx, endpoint) == ["pending", "delivered"]
