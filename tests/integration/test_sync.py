"""Sync of marketplaces, against a server that answers as their documentation says."""

import gzip
from typing import Any

import pytest
from aiohttp import web
from arq import Retry

from arqlight.checked_fields import Secret
from arqlight.errors import NotYet
from arqlight.families.database import Database
from arqlight.families.sync.asking import MarketplaceTrouble, TokenMissing, TokenRefused, UnexpectedAnswer
from arqlight.families.sync.marketplace import UnknownMarketplace
from arqlight.families.sync.runs import find_run, list_runs
from tests.support.marketplaces import Marketplaces, envato_sale, gumroad_sale
from tests.support.syncing import Syncing, rows


def counts(report: dict[str, Any]) -> tuple[int, ...]:
    return tuple(report[name] for name in ("seen", "new", "changed", "vanished", "refused"))


async def test_envato_sales_come_in_once_and_then_only_what_is_new(
    sync: Syncing, market: Marketplaces, database: Database
) -> None:
    market.sales["envato"] = [envato_sale(number) for number in range(1000, 940, -1)]
    assert counts(await sync("envato")) == (60, 60, 0, 0, 0)
    assert counts(await sync("envato")) == (60, 0, 0, 0, 0), "a run again changes nothing"
    market.sales["envato"][:0] = [envato_sale(1001)]
    market.sales["envato"][1] = envato_sale(1000, license="Extended License")
    assert counts(await sync("envato")) == (61, 1, 1, 0, 0)
    newest = (await rows(database))["code-1000"]
    assert (newest.licence, newest.amount_minor, newest.currency, newest.product) == (
        "Extended License", 2900, "USD", "Quill",
    )  # fmt: skip
    runs = await list_runs(database, "envato")
    assert [(run["seen"], run["new"], run["changed"], run["state"]) for run in runs] == [
        (61, 1, 1, "done"), (60, 0, 0, "done"), (60, 60, 0, "done"),
    ]  # fmt: skip


async def test_a_run_stops_where_the_sales_are_older_than_it_looks_back(sync: Syncing, market: Marketplaces) -> None:
    market.sales["envato"] = [envato_sale(number) for number in range(1000, 700, -1)]
    await sync("envato")
    market.asked.clear()
    await sync("envato", sync_look_back_days=1)  # a sale an hour, twenty a page
    pages = {request.rpartition("=")[2] for request in market.asked}
    assert pages == {"1", "2", "3"}


async def test_a_run_that_is_cut_short_goes_on_at_its_page_and_misses_nothing(
    sync: Syncing, market: Marketplaces, database: Database
) -> None:
    market.sales["envato"] = [envato_sale(number) for number in range(1000, 950, -1)]
    market.refusals = [web.json_response(market.sales["envato"][:20]), web.Response(status=502)]
    with pytest.raises(NotYet):
        await sync.once("envato")
    assert len(await rows(database)) == 20
    [run] = await list_runs(database)
    assert (run["state"], run["pages"]) == ("waiting", 1)
    assert "MarketplaceTrouble: Envato answers 502" in run["reason"]
    market.asked.clear()
    assert (await sync("envato"))["new"] == 50, "a run's report is of the whole run"
    assert market.asked[0] == "/v3/market/author/sales?page=2"
    assert len(await rows(database)) == 50


async def test_trouble_without_a_page_in_between_counts_and_the_last_try_ends_the_run_with_its_place(
    sync: Syncing, market: Marketplaces, database: Database
) -> None:
    market.refusals = [web.Response(status=500), web.Response(status=500)]
    with pytest.raises(Retry) as again:
        await sync.once("envato")
    assert not isinstance(again.value, NotYet)
    with pytest.raises(MarketplaceTrouble):
        await sync.once("envato", job_try=8)
    [run] = await list_runs(database)
    assert (run["state"], run["error"]) == ("failed", "MarketplaceTrouble: Envato answers 500 Internal Server Error")


async def test_gumroad_pages_by_key_and_notices_a_refund(
    sync: Syncing, market: Marketplaces, database: Database
) -> None:
    market.sales["gumroad"] = [gumroad_sale(number) for number in range(100, 55, -1)]
    assert counts(await sync("gumroad")) == (45, 45, 0, 0, 0)
    market.sales["gumroad"][3] = gumroad_sale(97, refunded=True)
    report = await sync("gumroad")
    assert (report["new"], report["changed"]) == (0, 1)
    assert "after=20" in market.asked[-1], "only what is not older than that is asked for"
    row = (await rows(database))["g97"]
    assert (row.state, row.refunded_minor, row.amount_minor, row.currency) == ("refunded", 1999, 1999, "EUR")
    assert "SECRET-KEY" not in str(row.raw)
    told = (await find_run(database, report["run"]))["differences"]
    assert told == [
        {"sale_id": "g97", "what": "changed", "before": {"refunded": "0.00 EUR", "state": "paid"},
         "after": {"refunded": "19.99 EUR", "state": "refunded"}},
    ]  # fmt: skip


async def test_an_entry_that_cannot_be_read_is_reported_and_the_others_come_in(
    sync: Syncing, market: Marketplaces, database: Database
) -> None:
    market.sales["envato"] = [envato_sale(3), envato_sale(2, sold_at="soon"), {"x": 1}, envato_sale(1, amount="much"),
                              "text", envato_sale(0, license="a\0b"), envato_sale(0, sold_at="2026-05-05T00:00:00")]  # fmt: skip
    assert counts(await sync("envato")) == (7, 1, 0, 0, 6)
    [run] = await list_runs(database)
    assert (run["refused_count"], len(run["refused"])) == (6, 6)
    assert "has no time zone" in run["refused"][-1]["reason"]


async def test_429_waits_as_long_as_the_marketplace_asks_uncounted(sync: Syncing, market: Marketplaces) -> None:
    market.refusals = [
        web.Response(status=429, headers={"Retry-After": "42"}),
        web.Response(status=429),
        web.Response(status=503, headers={"Retry-After": "7"}),
    ]
    for wait_ms in (42_000, 60_000, 7_000):
        with pytest.raises(NotYet) as turn:
            await sync.once("envato")
        assert turn.value.defer_score == wait_ms


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [(401, "", TokenRefused, "does not take the token .401.: it is wrong, or it has expired"),
     (403, "", TokenRefused, "lacks the permission to read sales"),
     (404, "", UnexpectedAnswer, "answers 404"),
     (200, '{"error": "x"}', UnexpectedAnswer, "not the list of sales it documents")],
)  # fmt: skip
async def test_what_no_retry_mends_fails_at_once_in_plain_words(
    sync: Syncing, market: Marketplaces, status: int, body: str, kind: type[Exception], words: str
) -> None:
    market.refusals = [web.Response(status=status, text=body)]
    with pytest.raises(kind, match=words):
        await sync.once("envato")


async def test_a_missing_token_is_said_with_what_to_do(sync: Syncing) -> None:
    for name in ("envato", "gumroad", "lemonsqueezy"):
        without: dict[str, Any] = {f"{name}_token": None}
        with pytest.raises(TokenMissing, match=f"set ARQLIGHT_{name.upper()}_TOKEN"):
            await sync.once(name, **without)
    with pytest.raises(TokenRefused) as refused:
        await sync.once("envato", envato_token=Secret("wrong-token"))
    assert "wrong-token" not in str(refused.value)
    with pytest.raises(UnknownMarketplace, match="there are envato, gumroad, lemonsqueezy"):
        await sync.once("ebay")


async def test_an_answer_that_unpacks_to_more_than_any_page_is_refused(sync: Syncing, market: Marketplaces) -> None:
    bomb = gzip.compress(b'["' + b"x" * 100_000_000 + b'"]', 1)
    market.refusals = [web.Response(body=bomb, headers={"Content-Encoding": "gzip"})]
    with pytest.raises(UnexpectedAnswer, match="more than 16,777,216 bytes at once"):
        await sync.once("envato")


@pytest.mark.parametrize("body", [b"[" * 1_000_000, b"<html><title>Be right back</title>", b""])
async def test_an_answer_that_is_no_json_is_trouble_of_theirs(
    sync: Syncing, market: Marketplaces, database: Database, body: bytes
) -> None:
    market.refusals = [web.Response(body=body, content_type="text/html" if body[:1] == b"<" else "application/json")]
    with pytest.raises(Retry):
        await sync.once("envato")
    [run] = await list_runs(database)
    html = "answers an HTML page ('Be right back'), not JSON"
    assert (html if body[:1] == b"<" else "something that is not JSON") in run["reason"]
