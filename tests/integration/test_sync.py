"""Sync of marketplaces, against a server that answers as their documentation says."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from arq import Retry
from sqlalchemy import select

from arqlight.checked_fields import Secret
from arqlight.errors import NotYet
from arqlight.families.database import Database
from arqlight.families.sync.marketplace import MarketplaceTrouble, TokenMissing, TokenRefused, UnexpectedAnswer
from arqlight.families.sync.syncing import UnknownMarketplace, list_runs, sync_sales
from arqlight.families.sync.tables import sales
from tests.support.marketplaces import Marketplaces, envato_sale, gumroad_sale

Sync = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def market() -> AsyncIterator[Marketplaces]:
    market = Marketplaces()
    async with TestServer(market.application()) as server:
        market.url = str(server.make_url(""))  # type: ignore[attr-defined]
        yield market


@pytest.fixture
async def sync(family: Callable[..., Awaitable[dict[str, Any]]], market: Marketplaces) -> Sync:
    async def run(marketplace: str, **changes: Any) -> dict[str, Any]:
        at = {f"{name}_url": market.url for name in ("envato", "gumroad")}  # type: ignore[attr-defined]
        tokens = {f"{name}_token": Secret("right-token") for name in ("envato", "gumroad")}
        report: dict[str, Any] = await sync_sales(await family(**{**at, **tokens, **changes}), marketplace)
        return report

    return run


async def rows(database: Database) -> list[Any]:
    async with database.begin() as connection:
        return list((await connection.execute(select(sales).order_by(sales.c.sale_id))).all())


async def test_envato_sales_come_in_once_and_then_only_what_is_new(
    sync: Sync, market: Marketplaces, database: Database
) -> None:
    market.sales["envato"] = [envato_sale(number) for number in range(1000, 940, -1)]
    assert await sync("envato") == {"seen": 60, "new": 60, "changed": 0, "refused": 0}
    pages = len(market.asked)
    assert await sync("envato") == {"seen": 20, "new": 0, "changed": 0, "refused": 0}, "a run again changes nothing"
    market.sales["envato"][:0] = [envato_sale(1001)]
    market.sales["envato"][1] = envato_sale(1000, license="Extended License")
    market.asked.clear()
    assert await sync("envato") == {"seen": 20, "new": 1, "changed": 1, "refused": 0}
    assert (pages, len(market.asked)) == (4, 1), "it stops behind the cursor"
    newest = next(row for row in await rows(database) if row.sale_id == "code-1000")
    assert (newest.licence, newest.amount, newest.currency, newest.product) == ("Extended License", 29, "USD", "Quill")
    runs = await list_runs(database, "envato")
    assert [(run["seen"], run["new"], run["changed"], run["error"]) for run in runs] == [
        (20, 1, 1, None), (20, 0, 0, None), (60, 60, 0, None),
    ]  # fmt: skip


async def test_a_run_that_is_cut_short_leaves_the_cursor_and_the_next_one_misses_nothing(
    sync: Sync, market: Marketplaces, database: Database
) -> None:
    market.sales["envato"] = [envato_sale(number) for number in range(1000, 950, -1)]
    market.refusals = [web.json_response(market.sales["envato"][:20]), web.Response(status=502)]
    with pytest.raises(Retry):
        await sync("envato")
    assert len(await rows(database)) == 20
    assert (await sync("envato"))["new"] == 30
    assert "MarketplaceTrouble: Envato answers 502" in (await list_runs(database))[1]["error"]


async def test_gumroad_pages_by_key_and_notices_a_refund(sync: Sync, market: Marketplaces, database: Database) -> None:
    market.sales["gumroad"] = [gumroad_sale(number) for number in range(100, 55, -1)]
    assert await sync("gumroad") == {"seen": 45, "new": 45, "changed": 0, "refused": 0}
    market.sales["gumroad"][3] = gumroad_sale(97, refunded=True)
    report = await sync("gumroad")
    assert (report["new"], report["changed"]) == (0, 1)
    assert "after=2026-05-02" in market.asked[-1], "each run looks at the last month again"
    row = next(row for row in await rows(database) if row.sale_id == "g97")
    assert (row.refunded, float(row.amount), row.currency) == (True, 19.99, "EUR")
    assert "SECRET-KEY" not in str(row.raw)


async def test_an_entry_that_cannot_be_read_is_reported_and_the_others_come_in(
    sync: Sync, market: Marketplaces, database: Database
) -> None:
    market.sales["envato"] = [envato_sale(3), envato_sale(2, sold_at="soon"), {"x": 1}, envato_sale(1, amount="much"),
                              "text", envato_sale(0, license="a\0b"), envato_sale(0, sold_at="2026-05-05T00:00:00")]  # fmt: skip
    assert await sync("envato") == {"seen": 7, "new": 1, "changed": 0, "refused": 6}
    [run] = await list_runs(database)
    assert "has no time zone" in run["refused"][-1]["reason"]


async def test_429_waits_as_long_as_the_marketplace_asks_uncounted(sync: Sync, market: Marketplaces) -> None:
    market.refusals = [web.Response(status=429, headers={"Retry-After": "42"}), web.Response(status=429)]
    for wait_ms in (42_000, 60_000):
        with pytest.raises(NotYet) as turn:
            await sync("envato")
        assert turn.value.defer_score == wait_ms


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [(401, "", TokenRefused, "does not take the token .401.: it is wrong, or it has expired"),
     (403, "", TokenRefused, "lacks the permission to read sales"),
     (404, "", UnexpectedAnswer, "answers 404"),
     (200, '{"error": "x"}', UnexpectedAnswer, "not the list of sales it documents")],
)  # fmt: skip
async def test_what_no_retry_mends_fails_at_once_in_plain_words(
    sync: Sync, market: Marketplaces, status: int, body: str, kind: type[Exception], words: str
) -> None:
    market.refusals = [web.Response(status=status, text=body)]
    with pytest.raises(kind, match=words):
        await sync("envato")


async def test_a_missing_token_is_said_with_what_to_do(sync: Sync) -> None:
    with pytest.raises(TokenMissing, match="set ARQLIGHT_ENVATO_TOKEN"):
        await sync("envato", envato_token=None)
    with pytest.raises(TokenMissing, match="set ARQLIGHT_GUMROAD_TOKEN"):
        await sync("gumroad", gumroad_token=None)
    with pytest.raises(TokenRefused) as refused:
        await sync("envato", envato_token=Secret("wrong-token"))
    assert "wrong-token" not in str(refused.value)
    with pytest.raises(UnknownMarketplace, match="there are envato, gumroad"):
        await sync("ebay")


async def test_an_answer_that_unpacks_to_more_than_any_page_is_refused(sync: Sync, market: Marketplaces) -> None:
    import gzip

    bomb = gzip.compress(b'["' + b"x" * 100_000_000 + b'"]', 1)
    market.refusals = [web.Response(body=bomb, headers={"Content-Encoding": "gzip"})]
    with pytest.raises(UnexpectedAnswer, match="more than 16,777,216 bytes at once"):
        await sync("envato")


async def test_an_answer_that_nests_without_end_is_trouble_of_theirs(sync: Sync, market: Marketplaces) -> None:
    market.refusals = [web.Response(body=b"[" * 1_000_000)]
    with pytest.raises((MarketplaceTrouble, Retry), match=r"not JSON|"):
        await sync("envato")
