"""What a marketplace does in a bad hour costs no sale: limits, timeouts, lists that move, refunds, clocks, odd entries."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import update

from arqlight.errors import NotYet
from arqlight.families.database import Database
from arqlight.families.sync import syncing
from arqlight.families.sync.paging import PagesInALoop
from arqlight.families.sync.runs import find_run, list_runs
from arqlight.families.sync.tables import sales, sync_refunds, sync_runs
from arqlight.families.sync.tidying import tidy
from tests.support.marketplaces import (
    NEWEST,
    PAGE,
    SALE_OF,
    Marketplaces,
    envato_sale,
    gumroad_sale,
    lemonsqueezy_order,
)
from tests.support.syncing import Family, Syncing, rows

EVERYTHING = 3650  # days
NAMES = list(SALE_OF)


def fill(market: Marketplaces, name: str, number: int) -> None:
    market.sales[name] = [SALE_OF[name](each) for each in range(number, 0, -1)]


@pytest.mark.parametrize("name", NAMES)
async def test_under_a_limit_a_run_goes_on_where_it_was_until_all_is_there(
    sync: Syncing, market: Marketplaces, database: Database, name: str
) -> None:
    """Thirty pages at fifteen requests in forty seconds: before, every pass began at page 1."""
    fill(market, name, 30 * PAGE)
    market.limit = (15, 40)
    report = await sync(name)
    assert (report["new"], len(await rows(database))) == (600, 600)
    assert sync.waits_s, "the limit was met"
    # Envato's pages are read twice, for the list may have moved, and two empty ones are its end.
    once_each = {"envato": 2 * 30 + 2, "gumroad": 30, "lemonsqueezy": 30}[name]
    assert len(market.asked) == once_each + len(sync.waits_s), "no page is read from the beginning again"
    [run] = await list_runs(database)
    assert run["state"] == "done"


async def test_a_run_that_waits_says_why_and_until_when(
    sync: Syncing, market: Marketplaces, database: Database
) -> None:
    market.refusals = [web.Response(status=429, headers={"Retry-After": "40"})]
    with pytest.raises(NotYet):
        await sync.once("gumroad")
    [run] = await list_runs(database)
    assert (run["state"], run["reason"], run["error"]) == ("waiting", "Gumroad asks to wait 40 s (429)", None)
    in_s = (datetime.fromisoformat(run["resume_at"]) - datetime.now(UTC)).total_seconds()
    assert 20 < in_s <= 40


async def test_a_run_that_is_cut_off_by_its_timeout_goes_on_at_its_page(
    sync: Syncing, market: Marketplaces, database: Database
) -> None:
    fill(market, "gumroad", 10 * PAGE)
    attempt: list[asyncio.Task[Any]] = []

    def cut_off(number: int) -> None:
        if number == 6:
            attempt[0].cancel()

    market.before = cut_off
    attempt.append(asyncio.create_task(sync.once("gumroad")))
    with pytest.raises(asyncio.CancelledError):
        await attempt[0]
    [run] = await list_runs(database)
    assert (run["state"], run["pages"], len(await rows(database))) == ("waiting", 5, 5 * PAGE)
    market.before, first = lambda number: None, len(market.asked)
    assert (await sync("gumroad"))["new"] == 10 * PAGE
    assert len(market.asked) - first == 5, "the pages that were written are not read again"


async def test_a_long_run_lets_others_have_its_slot_long_before_its_timeout(
    sync: Syncing, market: Marketplaces, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    monkeypatch.setattr(syncing, "LONGEST_TURN_S", -1.0)
    fill(market, "gumroad", 4 * PAGE)
    assert (await sync("gumroad"))["new"] == 4 * PAGE
    assert sync.waits_s == [0.0, 0.0, 0.0], "an attempt for each page but the last"


@pytest.mark.parametrize("name", ["envato", "lemonsqueezy"])
@pytest.mark.parametrize("gone_before", range(2, 8))
async def test_a_sale_that_moves_onto_a_page_that_was_read_is_not_missed(
    sync: Syncing, market: Marketplaces, database: Database, name: str, gone_before: int
) -> None:
    """A sale goes from the list between two requests: all behind it move one place forward."""
    fill(market, name, 5 * PAGE)
    market.before = lambda number: market.sales[name].pop(3) and None if number == gone_before else None
    await sync(name)
    listed = {sale.get("code") or sale["id"] for sale in market.sales[name]}
    assert listed <= set(await rows(database)), "all that are listed at the end are known"


@pytest.mark.parametrize("name", NAMES)
async def test_sales_that_come_in_while_pages_are_read_cost_none(
    sync: Syncing, market: Marketplaces, database: Database, name: str
) -> None:
    fill(market, name, 4 * PAGE)
    market.before = lambda number: market.sales[name].insert(0, SALE_OF[name](1000 + number))
    first = await sync(name)
    assert first["new"] >= 4 * PAGE
    market.before = lambda number: None
    await sync(name, sync_look_back_days=EVERYTHING)
    assert len(await rows(database)) == len(market.sales[name])


@pytest.mark.parametrize(
    ("name", "change", "state", "refunded"),
    [("gumroad", {"refunded": True}, "refunded", 1999),
     ("gumroad", {"partially_refunded": True, "amount_refundable_in_currency": "14.99"}, "partially_refunded", 500),
     ("gumroad", {"disputed": True, "chargedback": True}, "disputed", 0),
     ("gumroad", {"disputed": True, "dispute_won": True}, "paid", 0),
     ("lemonsqueezy", {"refunded": True, "status": "refunded", "refunded_amount": 1199}, "refunded", 1199),
     ("lemonsqueezy", {"status": "partial_refund", "refunded_amount": 200}, "partially_refunded", 200),
     ("lemonsqueezy", {"status": "fraudulent"}, "disputed", 0)],
)  # fmt: skip
async def test_a_full_sync_finds_refunds_and_disputes_however_old(
    sync: Syncing,
    market: Marketplaces,
    database: Database,
    name: str,
    change: dict[str, Any],
    state: str,
    refunded: int,
) -> None:
    fill(market, name, 3 * PAGE)
    await sync(name)
    changed_at = {"updated_at": (NEWEST + timedelta(days=45)).isoformat()} if name == "lemonsqueezy" else {}
    market.sales[name][-1] = SALE_OF[name](1, **change, **changed_at)
    report = await sync(name, full=True)
    row = (await rows(database))["g1" if name == "gumroad" else "1"]
    assert (row.state, row.refunded_minor) == (state, refunded)
    assert report["changed"] == (state != "paid")


async def test_a_refund_after_45_days_is_seen_by_an_ordinary_run(
    sync: Syncing, market: Marketplaces, database: Database
) -> None:
    now = datetime.now(UTC)
    aged = {"created_at": (now - timedelta(days=45)).isoformat()}
    market.sales["gumroad"] = [gumroad_sale(2, created_at=now.isoformat()), gumroad_sale(1, **aged)]
    await sync("gumroad")
    market.sales["gumroad"][1] = gumroad_sale(1, refunded=True, **aged)
    assert (await sync("gumroad"))["changed"] == 1
    assert (await rows(database))["g1"].state == "refunded"


@pytest.mark.parametrize("name", NAMES)
async def test_a_full_sync_reports_what_is_new_changed_and_vanished(
    sync: Syncing, market: Marketplaces, database: Database, name: str
) -> None:
    fill(market, name, 2 * PAGE)
    await sync(name)
    gone = market.sales[name].pop(5)
    market.sales[name].insert(0, SALE_OF[name](500))
    report = await sync(name, full=True)
    assert (report["new"], report["changed"], report["vanished"]) == (1, 0, 1)
    told = {each["what"]: each for each in (await find_run(database, report["run"]))["differences"]}
    gone_id = str(gone.get("code") or gone["id"])
    assert told["vanished"]["sale_id"] == gone_id
    assert told["vanished"]["after"] == {"state": "missing"}
    assert set(told["new"]["after"]) >= {"product", "amount", "state", "sold_at"}
    assert (await rows(database))[gone_id].state == "missing"
    market.sales[name].insert(6, gone)
    assert (await sync(name, full=True))["changed"] == 1, "one that is listed again is as it was"
    assert (await rows(database))[gone_id].state == "paid"


async def test_a_list_that_is_suddenly_short_marks_no_sale_as_missing(
    sync: Syncing, market: Marketplaces, database: Database
) -> None:
    fill(market, "gumroad", 2 * PAGE)
    await sync("gumroad")
    del market.sales["gumroad"][3:]
    report = await sync("gumroad", full=True)
    assert report["vanished"] == 0
    assert {row.state for row in (await rows(database)).values()} == {"paid"}
    [run, _] = await list_runs(database)
    assert "37 of 40 known sales were not in the list" in run["reason"]


@pytest.mark.parametrize(
    ("name", "empty"),
    [("envato", "[]"), ("lemonsqueezy", '{"meta": {"page": {"currentPage": 2, "lastPage": 4, "total": 80}}, "data": []}'),
     ("gumroad", '{"success": true, "sales": []}')],
)  # fmt: skip
async def test_an_empty_page_in_the_middle_is_not_the_end(
    sync: Syncing, market: Marketplaces, database: Database, name: str, empty: str
) -> None:
    fill(market, name, 4 * PAGE)
    answers = {2: web.Response(text=empty, content_type="application/json")}
    market.before = lambda number: market.refusals.append(answers.pop(number)) if number in answers else None
    await sync(name)
    missed = 4 * PAGE - len(await rows(database))
    assert missed in (0, PAGE), "the pages behind it were read"
    await sync(name, full=True)
    assert len(await rows(database)) == 4 * PAGE


async def test_a_loop_of_cursors_ends_the_run_with_a_clear_reason_and_the_next_run_begins_anew(
    sync: Syncing, market: Marketplaces, database: Database
) -> None:
    fill(market, "gumroad", PAGE)
    looping = [gumroad_sale(number) for number in range(3)]
    keys = iter(["a", "b", "c"] * 10)
    market.before = lambda number: market.refusals.append(
        web.json_response({"success": True, "sales": [looping[number % 3]], "next_page_key": next(keys)})
    )
    with pytest.raises(PagesInALoop, match="which was read already"):
        await sync("gumroad")
    assert len(market.asked) < 12
    [run] = await list_runs(database)
    assert run["state"] == "failed"
    market.before = lambda number: None
    market.asked.clear()
    assert (await sync("gumroad"))["seen"] == PAGE
    assert "page_key" not in market.asked[0]


async def test_a_marketplace_that_answers_the_same_page_for_every_number_is_found_out(
    sync: Syncing, market: Marketplaces
) -> None:
    fill(market, "envato", PAGE)
    market.before = lambda number: market.refusals.append(web.json_response(market.sales["envato"]))
    with pytest.raises(PagesInALoop, match="the same as the 5 pages before"):
        await sync("envato")


ODD: list[tuple[str, dict[str, Any], str]] = [
    ("envato", {"amount": "92233720368547758.08"}, "beyond 64 bit"),
    ("envato", {"item": None}, "it has no item"),
    ("envato", {"item": {"id": 7, "name": None}}, "it has no item"),
    ("envato", {"amount": "1.999"}, "no whole number"),
    ("envato", {"amount": "1E+999999"}, "is no amount"),
    ("envato", {"code": "c" * 5000}, "its id has 5,000 characters"),
    ("envato", {"sold_at": "9999-12-31T23:59:59-12:00"}, "OverflowError"),
    ("envato", {"buyer": "\ud800"}, "UnicodeEncodeError"),
    ("gumroad", {"price": 2**63}, "beyond 64 bit"),
    ("gumroad", {"price": True}, "is no amount"),
    ("gumroad", {"currency_symbol": "¤"}, "no currency of ISO 4217"),
    ("gumroad", {"product_name": ""}, "it has no product"),
    ("lemonsqueezy", {"total": 10**30}, "beyond 64 bit"),
    ("lemonsqueezy", {"currency": "ABC"}, "no currency of ISO 4217"),
    ("lemonsqueezy", {"currency": "XXX"}, "no currency of ISO 4217"),
    ("lemonsqueezy", {"first_order_item": None}, "it has no item"),
    ("lemonsqueezy", {"status": "odd"}, "none that is documented"),
    ("lemonsqueezy", {"test_mode": True}, "nothing was sold"),
]


@pytest.mark.parametrize(("name", "odd", "reason"), ODD)
async def test_an_odd_entry_is_refused_with_the_reason_and_costs_no_other(
    sync: Syncing, market: Marketplaces, database: Database, name: str, odd: dict[str, Any], reason: str
) -> None:
    make = SALE_OF[name]
    market.sales[name] = [make(3), make(2, **odd), make(1)]
    report = await sync(name)
    assert (report["new"], report["refused"]) == (2, 1)
    [run] = await list_runs(database)
    assert reason in run["refused"][0]["reason"]


async def test_a_number_that_python_would_not_read_costs_its_entry_and_not_its_page(
    sync: Syncing, market: Marketplaces, database: Database
) -> None:
    page = json.dumps({"success": True, "sales": [gumroad_sale(2, price=-1), gumroad_sale(1)]})
    market.refusals = [web.Response(text=page.replace("-1", "9" * 5000), content_type="application/json")]
    report = await sync("gumroad")
    assert (report["new"], report["refused"]) == (1, 1)


async def test_what_is_kept_of_refused_entries_is_bounded_and_their_number_is_not(
    sync: Syncing, market: Marketplaces, database: Database
) -> None:
    market.sales["envato"] = [envato_sale(number, item=None) for number in range(150, 0, -1)] + [envato_sale(0)]
    report = await sync("envato")
    assert (report["new"], report["refused"]) == (1, 150)
    [run] = await list_runs(database)
    assert (run["refused_count"], len(run["refused"])) == (150, 100)


@pytest.mark.parametrize("hours", [-1, 1, 24 * 365])
async def test_a_clock_that_is_wrong_loses_no_sale(
    sync: Syncing, market: Marketplaces, database: Database, hours: int
) -> None:
    """Before, a sale of the future moved the cursor there, and what came after was behind it."""
    now = datetime.now(UTC)
    wrong = (now + timedelta(hours=hours)).isoformat()
    market.sales["gumroad"] = [gumroad_sale(1, created_at=wrong)]
    await sync("gumroad")
    market.sales["gumroad"].append(gumroad_sale(2, created_at=now.isoformat()))
    await sync("gumroad")
    assert set(await rows(database)) == {"g1", "g2"}


async def test_amounts_of_currencies_without_decimals_and_with_three_are_exact(
    sync: Syncing, market: Marketplaces, database: Database
) -> None:
    market.sales["gumroad"] = [gumroad_sale(2, price=15000, currency_symbol="₩"), gumroad_sale(1, price=1500, currency_symbol="¥")]  # fmt: skip
    market.sales["lemonsqueezy"] = [lemonsqueezy_order(3, currency="KWD", total=1234)]
    await sync("gumroad")
    report = await sync("lemonsqueezy")
    known = await rows(database)
    assert {key: (row.amount_minor, row.currency) for key, row in known.items()} == {
        "g2": (15000, "KRW"), "g1": (1500, "JPY"), "3": (1234, "KWD"),
    }  # fmt: skip
    [told] = (await find_run(database, report["run"]))["differences"]
    assert told["after"]["amount"] == "1.234 KWD"


async def test_two_jobs_of_one_sync_do_not_read_the_same_pages(
    sync: Syncing, market: Marketplaces, database: Database
) -> None:
    fill(market, "gumroad", 3 * PAGE)
    market.refusals = []
    market.before = lambda number: market.refusals.append(web.Response(status=429)) if number == 2 else None
    with pytest.raises(NotYet):
        await sync.once("gumroad", job_id="first")
    asked = len(market.asked)
    told = await sync.once("gumroad", job_id="second")
    assert (told["under_way"], len(market.asked)) == (True, asked)
    async with database.begin() as connection:
        past = datetime.now(UTC) - timedelta(hours=1)
        await connection.execute(update(sync_runs).values(touched_at=past, resume_at=past))
    assert (await sync("gumroad", job_id="second"))["new"] == 3 * PAGE, "one that nobody goes on with is taken over"
    assert len(await list_runs(database)) == 1
    assert (await sync.once("gumroad", job_id="first"))["new"] == 0, "the first one begins a run of its own"
    assert len(await list_runs(database)) == 2


async def test_a_run_that_another_job_took_over_writes_nothing_more(
    sync: Syncing, market: Marketplaces, database: Database
) -> None:
    fill(market, "gumroad", 3 * PAGE)
    answered = market.gumroad

    async def gumroad(request: web.Request) -> web.Response:
        if len(market.asked) == 1:
            async with database.begin() as connection:
                await connection.execute(update(sync_runs).values(job_id="other"))
        return await answered(request)

    market.gumroad = gumroad  # type: ignore[method-assign]
    async with TestServer(market.application()) as server:
        market.url = str(server.make_url(""))
        report = await sync.once("gumroad")
    assert "job other goes on" in report["taken_over"]
    assert len(await rows(database)) == PAGE


async def test_old_reports_go_and_what_the_next_run_begins_from_stays(
    sync: Syncing, market: Marketplaces, database: Database, family: Family
) -> None:
    fill(market, "gumroad", 3)
    for _ in range(3):
        await sync("gumroad")
    old = datetime.now(UTC) - timedelta(days=500)
    async with database.begin() as connection:
        await connection.execute(update(sync_runs).values(touched_at=old, started_at=old))
        refund = {"marketplace": "lemonsqueezy", "refunded_minor": 1, "state": "refunded"}
        rows_of = [{**refund, "sale_id": "a", "at": old}, {**refund, "sale_id": "b", "at": datetime.now(UTC)}]
        await connection.execute(sync_refunds.insert(), rows_of)
    assert await tidy(await family()) == {"sync_runs": 2, "sync_refunds": 1}
    assert [run["id"] for run in await list_runs(database)] == [3]


async def test_a_sale_of_a_webhook_during_a_full_sync_has_not_vanished(
    sync: Syncing, market: Marketplaces, database: Database
) -> None:
    fill(market, "lemonsqueezy", PAGE)
    await sync("lemonsqueezy")
    async with database.begin() as connection:
        copied = {
            "marketplace": "lemonsqueezy",
            "sale_id": "hooked",
            "product": "x",
            "amount_minor": 1,
            "currency": "USD",
        }
        later = datetime.now(UTC) + timedelta(minutes=1)
        await connection.execute(sales.insert().values(**copied, sold_at=NEWEST, raw={}, synced_at=later))
    assert (await sync("lemonsqueezy", full=True))["vanished"] == 0
