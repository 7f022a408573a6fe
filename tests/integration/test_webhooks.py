"""Endpoints, signatures, rotation, and where webhooks may not go; against a real receiver and the standard's verifier."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from arq.connections import ArqRedis
from arq.worker import Retry
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from yarl import URL

from arqlight import Client
from arqlight.errors import InvalidInput, NotFound
from arqlight.families.webhooks.answers import InvalidWebhook
from arqlight.families.webhooks.delivery import deliver_event, deliver_webhook
from arqlight.families.webhooks.network import ForbiddenAddress, allowed_networks, refusal
from arqlight.families.webhooks.records import deliveries, endpoints
from arqlight.families.webhooks.records.attempts import EndpointOff
from arqlight.families.webhooks.replaying import resend
from arqlight.families.webhooks.sending import send_event
from arqlight.families.webhooks.tables import webhook_secrets
from arqlight.journal.journal import Journal, NewJob
from arqlight.settings import Settings
from tests.conftest import StartWorker
from tests.support.families import hooks
from tests.support.waiting import eventually
from tests.support.webhooks import Receiver, days_pass, deliver, receiving, register, states

Family = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def test_an_address_goes_out_byte_for_byte(family: Family) -> None:
    ctx, seen = await family(), []

    async def take(request: web.Request) -> web.Response:
        seen.append(request.raw_path)
        return web.Response()

    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    async with TestServer(app) as server:
        for path in ("/a%2Fb%2e/../c?sig=%2F+%20%7e&n=1&n=%3D", "/a//b?x", "/%C3%BC"):
            await deliver_webhook(ctx, f"{server.make_url('/')}{path[1:]}")
            assert seen.pop() == path
        await deliver_webhook(ctx, f"{server.make_url('/')}ü")
        assert seen == ["/%C3%BC"], "what no request can carry is encoded"


@pytest.mark.parametrize("payload", [float("nan"), {"a": [float("inf")]}, b"bytes"])
async def test_an_event_that_json_cannot_carry_is_refused_as_it_is_enqueued(
    family: Family, family_settings: Settings, pool: ArqRedis, payload: Any
) -> None:
    async with Client(family_settings) as client:
        for task, args in (
            (send_event, ("licence.issued", payload)),
            (deliver_webhook, ("https://x.example", payload)),
        ):
            with pytest.raises(InvalidWebhook, match="is not JSON"):
                await client.enqueue(task, *args)
            with pytest.raises(InvalidWebhook, match="is not JSON"):
                await client.enqueue(task, args[0], payload=payload)
    assert await pool.keys("arq:job:*") == []
    with pytest.raises(InvalidWebhook, match="is not JSON"):  # of a client that knows the task by its name only
        await send_event(await family(), "licence.issued", payload)


async def test_an_event_reaches_the_endpoints_that_subscribed_and_verifies(
    family_settings: Settings,
    family: Family,
    receiver: Receiver,
    start_worker: StartWorker,
    journal: Journal,
    pool: ArqRedis,
) -> None:
    ctx = await family()
    wanting, secret = await register(ctx, receiver.url, "licence.issued")
    everything, _ = await register(ctx, receiver.url)
    await register(ctx, receiver.url, "licence.revoked")
    off, _ = await register(ctx, receiver.url)
    await endpoints.change(ctx["database"], ctx["settings"], off, {"enabled": False})

    await start_worker([send_event, deliver_event], queues=["arq:queue:webhooks"], **hooks(family_settings))
    told = {"event": "licence.issued", "payload": {"seat": "ü"}}
    await journal.enqueue([NewJob("send_event", "arq:queue:webhooks", (), told)])
    await eventually(lambda: len(receiver.got) == 2)
    verified = [
        Webhook(secret).verify(body, headers) for headers, body in receiver.got if _verifies(secret, headers, body)
    ]
    assert [(each["type"], each["data"]) for each in verified] == [("licence.issued", {"seat": "ü"})]
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    await eventually(lambda: _all_delivered(ctx, wanting, 1))
    kept = (await deliveries.list_deliveries(ctx["database"], wanting))[0]
    assert (kept["status"], kept["answer"], kept["attempt"], kept["error"]) == (200, "thanks", 1, None)
    [attempt] = await deliveries.list_attempts(ctx["database"], kept["id"])
    assert (attempt["status"], attempt["job_id"]) == (200, kept["job_id"])
    assert kept["duration_ms"] >= 0
    await resend(journal, ctx["database"], kept["id"])
    await eventually(lambda: len(receiver.got) == 3)
    assert receiver.got[2][0]["webhook-id"] == kept["message_id"], "a resend is the same message"
    assert len(await deliveries.list_deliveries(ctx["database"], everything)) == 1
    assert await states(ctx, off) == ["held"], "an event is kept for who is off"


async def _all_delivered(ctx: dict[str, Any], endpoint: str, number: int) -> bool:
    return await states(ctx, endpoint) == ["delivered"] * number


def _verifies(secret: str, headers: dict[str, str], body: bytes) -> bool:
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


async def test_each_secret_of_several_rotations_verifies_until_its_own_overlap_ends(
    family: Family, receiver: Receiver
) -> None:
    ctx = await family()
    endpoint, first = await register(ctx, receiver.url)
    second = await endpoints.rotate(ctx["database"], ctx["keys"], endpoint, 3 * 86400)
    third = await endpoints.rotate(ctx["database"], ctx["keys"], endpoint, 86400)

    async def verifies(message: str) -> list[bool]:
        await deliver(ctx, endpoint, message)
        return [_verifies(secret, *receiver.got[-1]) for secret in (first, second, third)]

    assert await verifies("msg_1") == [True, True, True], "the second rotation ended the first one's overlap"
    found = await endpoints.find(ctx["database"], endpoint)
    assert found.old_secrets == 2
    await days_pass(ctx, 2)
    assert await verifies("msg_2") == [True, False, True]
    await days_pass(ctx, 2)
    assert await verifies("msg_3") == [False, False, True]
    with pytest.raises(InvalidInput, match="overlap_s"):
        await endpoints.rotate(ctx["database"], ctx["keys"], endpoint, -1)


async def test_a_secret_that_leaked_is_revoked_and_their_number_has_a_bound(family: Family, receiver: Receiver) -> None:
    ctx = await family()
    endpoint, first = await register(ctx, receiver.url)
    for _ in range(9):
        last = await endpoints.rotate(ctx["database"], ctx["keys"], endpoint, 3600)
    with pytest.raises(InvalidInput, match="10 secrets sign already") as refused:
        await endpoints.rotate(ctx["database"], ctx["keys"], endpoint, 3600)
    assert refused.value.field == "revoke_older"
    assert (await endpoints.find(ctx["database"], endpoint)).old_secrets == 9, "a refused rotation changed something"
    new = await endpoints.rotate(ctx["database"], ctx["keys"], endpoint, 0, revoke_older=True)
    await deliver(ctx, endpoint)
    assert [_verifies(secret, *receiver.got[-1]) for secret in (first, last, new)] == [False, False, True]


async def test_secrets_are_stored_sealed(family: Family, receiver: Receiver) -> None:
    ctx = await family()
    endpoint, secret = await register(ctx, receiver.url)
    async with ctx["database"].begin() as connection:
        [stored] = (await connection.execute(select(webhook_secrets.c.secret))).scalars()
    assert secret.encode() not in bytes(stored)
    assert "secret" not in (await endpoints.find(ctx["database"], endpoint)).to_json()


def test_a_network_that_is_allowed_is_allowed_in_ipv6_dress_too(settings: Settings) -> None:
    allowed = allowed_networks(settings.changed(webhook_allowed_networks="127.0.0.0/8, ::1/128"))
    assert refusal("::ffff:127.0.0.1", allowed) is None
    assert refusal("::1", allowed) is None
    assert refusal("10.0.0.1", allowed)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]"]
)
async def test_no_spelling_of_this_machine_is_reached(family: Family, receiver: Receiver, host: str) -> None:
    ctx = await family(webhook_allowed_networks="")
    port = receiver.url.split(":")[2].split("/")[0]
    with pytest.raises((ForbiddenAddress, InvalidWebhook), match=r"not a public address|not a canonical IPv4"):
        await deliver_webhook(ctx, f"http://{host}:{port}/hook")
    assert not receiver.got
    with pytest.raises(InvalidInput, match="not a public address") as refused:
        await register(ctx, f"http://{host}:{port}/hook")
    assert refused.value.field == "url"


async def test_a_name_that_changes_between_registering_and_delivering_is_looked_at_again(
    family: Family, receiver: Receiver
) -> None:
    """DNS rebinding: what counts is the address that is connected to."""
    allowing, strict = await family(), await family(webhook_allowed_networks="")
    endpoint, _ = await register(allowing, receiver.url)
    with pytest.raises(Retry) as again:
        await deliver(strict, endpoint)
    assert isinstance(again.value.__cause__, ForbiddenAddress)
    assert not receiver.got


async def test_a_name_that_answers_otherwise_the_second_time_reaches_nothing(
    family: Family, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resolver that says a public address to who checks, and a private one to who connects."""
    ctx = await family(webhook_allowed_networks="")
    real, answers = socket.getaddrinfo, iter(["93.184.216.34", "127.0.0.1", "127.0.0.1"])

    def rebinding(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        return real(next(answers) if host == "rebind.example.org" else host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    port = URL(receiver.url).port
    endpoint, _ = await register(ctx, f"http://rebind.example.org:{port}/hook")
    with pytest.raises(Retry) as again:
        await deliver(ctx, endpoint)
    assert isinstance(again.value.__cause__, ForbiddenAddress)
    assert "127.0.0.1 is not a public address" in str(again.value.__cause__)
    assert next(answers) == "127.0.0.1", "the name was resolved once for the delivery"
    assert not receiver.got


async def test_a_redirect_is_not_followed_wherever_it_leads(family: Family, receiver: Receiver) -> None:
    ctx = await family()
    receiver.answer = {"status": 307, "headers": {"Location": "http://169.254.169.254/latest/meta-data"}}
    with pytest.raises(Retry) as again:
        await deliver_webhook(ctx, receiver.url)
    assert "not followed" in str(again.value.__cause__)
    assert len(receiver.got) == 1


@pytest.mark.parametrize(
    ("url", "event_types", "field"),
    [("http://user:pass@example.org/", [], "url"), ("http://no-such-host.invalid/", [], "url"), ("x", [], "url"),
     ("http://example.org/\nX", [], "url"), ("http://127.0.0.1:9/", ["a b"], "event_types"),
     ("http://127.0.0.1:9/", [""], "event_types"), ("http://127.0.0.1:9/", ["e"] * 101, "event_types")],
)  # fmt: skip
async def test_what_is_no_endpoint_is_refused_with_the_field(
    family: Family, url: str, event_types: list[str], field: str
) -> None:
    ctx = await family()
    with pytest.raises(InvalidInput) as refused:
        await register(ctx, url, *event_types)
    assert refused.value.field == field
    assert await endpoints.list_endpoints(ctx["database"]) == []


async def test_a_deleted_endpoint_takes_its_deliveries_along(family: Family, receiver: Receiver) -> None:
    ctx = await family()
    endpoint, _ = await register(ctx, receiver.url)
    await deliver(ctx, endpoint)
    await endpoints.remove(ctx["database"], endpoint)
    with pytest.raises(NotFound):
        await endpoints.remove(ctx["database"], endpoint)
    with pytest.raises(EndpointOff):
        await deliver(ctx, endpoint)


async def test_an_answer_that_unpacks_to_200_megabytes_is_read_for_its_first_bytes_only(
    family: Family, receiver: Receiver
) -> None:
    import gzip
    import tracemalloc

    bomb = gzip.compress(bytes(200_000_000), 1)
    ctx = await family()
    receiver.answer = {"status": 400, "body": bomb, "headers": {"Content-Encoding": "gzip"}}
    tracemalloc.start()
    with pytest.raises(Retry) as again:
        await deliver_webhook(ctx, receiver.url)
    assert len(str(again.value.__cause__)) < 1_000
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 50_000_000, "what came packed was unpacked whole"
