"""The service's half of the sync: starting one, its report, and signed webhooks of Lemon Squeezy."""

import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from arq.connections import ArqRedis
from sqlalchemy import select

from arqlight.checked_fields import Secret
from arqlight.families.database import Database
from arqlight.families.sync.tables import sync_refunds
from arqlight.journal.reader import Reader
from arqlight.settings import Settings
from arqlight_service.app import create_app
from tests.conftest import Client
from tests.support.access import add_token, guarded
from tests.support.marketplaces import NEWEST, Marketplaces, gumroad_sale, lemonsqueezy_order, signed
from tests.support.syncing import Family, Syncing, read_fast, rows

SECRET = "signing-secret"
EVENTS = "/api/v1/sync/lemonsqueezy/events"
LATER = (NEWEST + timedelta(days=45)).isoformat()


@pytest.fixture
async def site(family_settings: Settings, pool: ArqRedis) -> AsyncIterator[Client]:
    settings = family_settings.changed(lemonsqueezy_webhook_secret=Secret(SECRET))
    async with TestClient(TestServer(create_app(settings))) as client:
        yield client


@pytest.fixture
async def sync(family: Family, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Syncing]:
    read_fast(monkeypatch)
    market = Marketplaces()
    async with TestServer(market.application()) as server:
        market.url = str(server.make_url(""))
        yield Syncing(family, market)


async def tell(site: Client, event: str, order: dict[str, Any], secret: str = SECRET) -> tuple[int, Any]:
    body, headers = signed(secret, event, order)
    answer = await site.post(EVENTS, data=body, headers=headers)
    return answer.status, await answer.json()


async def test_an_order_and_its_refund_arrive_by_webhook_and_the_same_again_changes_nothing(
    site: Client, database: Database
) -> None:
    paid = lemonsqueezy_order(7)
    back = lemonsqueezy_order(7, status="refunded", refunded=True, refunded_amount=1199, updated_at=LATER)
    assert await tell(site, "order_created", paid) == (200, {"result": "new"})
    assert await tell(site, "order_created", paid) == (200, {"result": "unchanged"})
    assert await tell(site, "order_refunded", back) == (200, {"result": "changed"})
    assert await tell(site, "order_refunded", back) == (200, {"result": "unchanged"})
    row = (await rows(database))["7"]
    assert (row.marketplace, row.state, row.amount_minor, row.refunded_minor) == (
        "lemonsqueezy",
        "refunded",
        1199,
        1199,
    )


async def test_a_refund_that_comes_before_its_order_is_not_undone_by_it(site: Client, database: Database) -> None:
    back = lemonsqueezy_order(7, status="partial_refund", refunded_amount=500, updated_at=LATER)
    assert await tell(site, "order_refunded", back) == (200, {"result": "new"})
    assert await tell(site, "order_created", lemonsqueezy_order(7)) == (200, {"result": "unchanged"})
    assert (await rows(database))["7"].state == "partially_refunded"


async def test_a_refund_without_its_sale_is_kept_and_counts_when_the_sale_comes(
    site: Client, database: Database
) -> None:
    bare = lemonsqueezy_order(7, status="refunded", refunded=True, refunded_amount=1199, first_order_item=None, updated_at=LATER)  # fmt: skip
    assert await tell(site, "order_refunded", bare) == (200, {"result": "unchanged"})
    assert await rows(database) == {}
    assert await tell(site, "order_created", lemonsqueezy_order(7)) == (200, {"result": "new"})
    row = (await rows(database))["7"]
    assert (row.state, row.refunded_minor) == ("refunded", 1199)
    async with database.begin() as connection:
        assert (await connection.execute(select(sync_refunds))).all() == []


async def test_a_page_that_was_read_before_a_webhook_came_does_not_undo_it(
    site: Client, sync: Syncing, database: Database
) -> None:
    back = lemonsqueezy_order(7, status="refunded", refunded=True, refunded_amount=1199, updated_at=LATER)
    await tell(site, "order_refunded", back)
    sync.market.sales["lemonsqueezy"] = [lemonsqueezy_order(7)]
    assert (await sync("lemonsqueezy"))["changed"] == 0
    assert (await rows(database))["7"].state == "refunded"


@pytest.mark.parametrize(
    ("event", "order"),
    [("subscription_created", {"type": "subscriptions", "id": "1", "attributes": {}}),
     ("order_created", lemonsqueezy_order(7, status="pending"))],
)  # fmt: skip
async def test_an_event_that_is_about_no_sale_is_answered_200_and_changes_nothing(
    site: Client, database: Database, event: str, order: dict[str, Any]
) -> None:
    assert await tell(site, event, order) == (200, {"result": "ignored"})
    assert await rows(database) == {}


async def test_a_signature_that_does_not_fit_is_refused(site: Client, database: Database) -> None:
    status, problem = await tell(site, "order_created", lemonsqueezy_order(7), "another-secret")
    assert (status, "signature does not fit" in problem["detail"]) == (403, True)
    body, headers = signed(SECRET, "order_created", lemonsqueezy_order(7))
    for wrong in ({}, {"X-Signature": ""}, {"X-Signature": "ü"}, {"X-Signature": headers["X-Signature"].upper()}):
        answer = await site.post(EVENTS, data=body, headers={"Content-Type": "application/json", **wrong})
        assert answer.status == 403, wrong
    answer = await site.post(EVENTS, data=body + b" ", headers=headers)
    assert answer.status == 403, "another body"
    assert await rows(database) == {}


BAD: list[Callable[[], Any]] = [
    lambda: lemonsqueezy_order(7, total=10**30),
    lambda: lemonsqueezy_order(7, currency="ABC"),
    lambda: lemonsqueezy_order(7, first_order_item=None),
    lambda: lemonsqueezy_order(7, created_at="soon"),
    lambda: lemonsqueezy_order(7, user_email="a\0b"),
    lambda: {"type": "orders"},
    lambda: "an order",
    lambda: None,
]


@pytest.mark.parametrize("make", BAD)
async def test_a_signed_event_that_cannot_be_used_says_why(
    site: Client, database: Database, make: Callable[[], Any]
) -> None:
    status, problem = await tell(site, "order_created", make())
    assert (status, problem["field"]) == (422, "body")
    assert await rows(database) == {}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b"\xff", b"<html>", b"[" * 100_000])
async def test_a_signed_body_that_is_no_event_is_refused(site: Client, body: bytes) -> None:
    headers = {"X-Signature": hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}
    answer = await site.post(EVENTS, data=body, headers=headers | {"Content-Type": "application/json"})
    assert answer.status == 422, await answer.text()


async def test_a_body_beyond_the_bound_is_refused_and_other_marketplaces_tell_nothing(
    site: Client, client: Client
) -> None:
    answer = await site.post(EVENTS, data=b"x" * 2_000_000, headers={"Content-Type": "application/json"})
    assert answer.status == 413
    for name in ("envato", "ebay"):
        answer = await site.post(f"/api/v1/sync/{name}/events", json={})
        assert (answer.status, "sends no webhooks" in (await answer.json())["detail"]) == (404, True)
    answer = await client.post(EVENTS, json={})
    assert (answer.status, "no secret for them is set" in (await answer.json())["detail"]) == (404, True)


async def test_a_webhook_needs_no_sign_in_and_a_sync_needs_an_operator(
    family_settings: Settings, pool: ArqRedis, database: Database
) -> None:
    settings = family_settings.changed(lemonsqueezy_webhook_secret=Secret(SECRET))
    async with guarded(settings) as client:
        assert await tell(client, "order_created", lemonsqueezy_order(7)) == (200, {"result": "new"})
        _, viewer = await add_token(client, "viewer")
        _, operator = await add_token(client, "operator")
        body = {"marketplace": "gumroad", "full": True}
        assert (await client.post("/api/v1/sync", json=body, headers=viewer)).status == 403
        assert (await client.post("/api/v1/sync", json=body, headers=operator)).status == 202
        entries = (await (await client.get("/api/v1/audit", headers=await admin(client))).json())["items"]
    told = {entry["what"] for entry in entries}
    assert {"start a full sync of gumroad", "take an event of lemonsqueezy"} <= told


async def admin(client: Client) -> dict[str, str]:
    return (await add_token(client, "admin"))[1]


async def test_a_full_sync_is_started_by_api_and_its_report_is_there(
    site: Client, sync: Syncing, database: Database, reader: Reader
) -> None:
    answer = await site.post("/api/v1/sync", json={"marketplace": "gumroad", "full": True})
    assert answer.status == 202
    job = await reader.job((await answer.json())["id"])
    assert job.to_json()["kwargs"] == {"marketplace": "gumroad", "full": True}
    sync.market.sales["gumroad"] = [gumroad_sale(2), gumroad_sale(1, currency_symbol="¤")]
    report = await sync("gumroad", full=True)
    listed = (await (await site.get("/api/v1/sync/runs?marketplace=gumroad")).json())["items"]
    assert [(run["id"], run["kind"], run["state"], run["new"], run["refused_count"]) for run in listed] == [
        (report["run"], "full", "done", 1, 1)
    ]
    told = await (await site.get(f"/api/v1/sync/runs/{report['run']}")).json()
    assert [(each["sale_id"], each["what"]) for each in told["differences"]] == [("g2", "new")]
    page = await (await site.get(f"/sync/runs/{report['run']}")).text()
    for shown in ("Full sync of gumroad", "19.99 EUR", "is no currency of ISO 4217", "g2"):
        assert shown in page
    for path in ("/api/v1/sync/runs/999", "/sync/runs/999", "/sync/runs/x"):
        assert (await site.get(path)).status == 404


@pytest.mark.parametrize(
    ("body", "field"), [({"marketplace": "gumroad", "full": "perhaps"}, "full"), ({"marketplace": 5}, "marketplace"),
                        ({"marketplace": "gumroad", "colour": 1}, "colour")],
)  # fmt: skip
async def test_a_sync_that_cannot_be_is_refused_with_the_field(site: Client, body: Any, field: str) -> None:
    answer = await site.post("/api/v1/sync", json=body)
    assert (answer.status, (await answer.json())["field"]) == (422, field)
