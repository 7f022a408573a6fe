"""The marketplace of the guide, as it stands there, does what the bundled ones do."""

import hashlib
import hmac
import json
import re
import sys
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from arq.connections import ArqRedis

from arqlight.checked_fields import Secret
from arqlight.families.database import Database
from arqlight.families.sync.marketplace import marketplaces
from arqlight.families.sync.runs import find_run
from arqlight.settings import Settings
from arqlight_service.app import create_app
from tests.conftest import ROOT
from tests.support.marketplaces import NEWEST, Marketplaces
from tests.support.syncing import Family, Syncing, read_fast, rows

TOKENS = {"corner_token": Secret("right-token"), "corner_webhook_secret": Secret("shared")}


def order(number: int, **more: Any) -> dict[str, Any]:
    at = NEWEST.isoformat()
    return {"number": number, "state": "paid", "total": "12.50", "refunded": "0", "currency": "EUR", "item": "Bread",
            "sold_at": at, "changed_at": at} | more  # fmt: skip


@pytest.fixture
def corner(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that the guide shows, known as if its package were installed."""
    [code] = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / "marketplaces.md").read_text(), re.S | re.M)
    module = ModuleType("corner_shop")
    monkeypatch.setitem(sys.modules, "corner_shop", module)
    exec(compile(code, "corner_shop.py", "exec"), module.__dict__)
    monkeypatch.setitem(marketplaces(), "corner", module.MARKETPLACE)
    read_fast(monkeypatch)
    return module


@pytest.fixture
async def shop(corner: ModuleType) -> AsyncIterator[Marketplaces]:
    """Its server: three orders a page."""
    market = Marketplaces()
    market.sales["corner"] = [order(number) for number in range(8, 0, -1)]

    async def orders(request: web.Request) -> web.Response:
        if refusal := market._refusal(request):
            return refusal
        first = int(request.query.get("after", "0"))
        found = market.sales["corner"][first : first + 3]
        following = str(first + 3) if first + 3 < len(market.sales["corner"]) else None
        return web.json_response({"orders": found, "next": following})

    app = web.Application()
    app.router.add_get("/orders", orders)
    async with TestServer(app) as server:
        market.url = str(server.make_url("")).rstrip("/")
        yield market


async def test_it_is_synced_with_limits_refunds_and_refused_entries(
    shop: Marketplaces, family: Family, database: Database
) -> None:
    sync = Syncing(family, shop)
    shop.limit = (2, 60)
    shop.sales["corner"][2] = order(6, total="1.999")
    shop.sales["corner"][3] = order(5, state="open")
    report = await sync("corner", corner_url=shop.url, **TOKENS)
    assert (report["seen"], report["new"], report["refused"], len(sync.waits_s)) == (8, 6, 1, 1)
    shop.limit = None
    later = (NEWEST.replace(year=NEWEST.year + 1)).isoformat()
    shop.sales["corner"][-1] = order(1, refunded="2.50", changed_at=later)
    report = await sync("corner", full=True, corner_url=shop.url, **TOKENS)
    [told] = (await find_run(database, report["run"]))["differences"]
    assert (told["sale_id"], told["after"]) == ("1", {"refunded": "2.50 EUR", "state": "partially_refunded"})
    assert (await rows(database, "corner"))["1"].refunded_minor == 250


async def test_it_has_its_buttons_and_takes_its_webhooks(
    corner: ModuleType, family_settings: Settings, pool: ArqRedis, database: Database
) -> None:
    body = json.dumps({"order": order(3, state="disputed")}).encode()
    signature = {"Corner-Signature": hmac.new(b"shared", body, hashlib.sha256).hexdigest()}
    json_body = {"Content-Type": "application/json"}
    async with TestClient(TestServer(create_app(family_settings.changed(**TOKENS)))) as site:
        assert "Full sync of Corner Shop" in await (await site.get("/sync")).text()
        answer = await site.post("/api/v1/sync/corner/events", data=body, headers=json_body | signature)
        assert (answer.status, await answer.json()) == (200, {"result": "new"})
        assert (await site.post("/api/v1/sync/corner/events", data=body, headers=json_body)).status == 403
    assert (await rows(database))["3"].state == "disputed"
