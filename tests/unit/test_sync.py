"""Decisions of the sync of marketplaces: where a run goes on, what becomes of a sale, what each entry says."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arqlight.errors import NotYet
from arqlight.families.bulk.plain_value import plain_value
from arqlight.families.sync.asking import MarketplaceTrouble, TokenRefused, UnexpectedAnswer
from arqlight.families.sync.marketplace import marketplaces
from arqlight.families.sync.paging import PagesInALoop, Place, following_place, may_have_moved
from arqlight.families.sync.reconcile import difference, reconciled, refunded, too_many_vanished
from arqlight.families.sync.runs import choose
from arqlight.families.sync.sale import Page, Refund, Sale, read_entries, refund_state
from arqlight.families.sync.schedules import schedules
from arqlight.families.sync.settings import SyncSettings
from arqlight.families.sync.syncing import LONGEST_TURN_S, pause_after, turn_s
from arqlight.jobs.overrides import Override
from arqlight.settings import load_settings

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def sale(sale_id: str = "1", **more: Any) -> Sale:
    """A sale of 10 dollars; the higher its number, the newer."""
    sold_at = NOW + timedelta(hours=int(sale_id) if sale_id.isdecimal() else 0)
    return replace(Sale(sale_id, "Quill", "ada", 1000, "USD", "", sold_at, {"id": sale_id}), **more)


def row(of: Sale) -> dict[str, Any]:
    """It, as the table has it."""
    return reconciled(None, of) or {}


# The settings and the numbers of a database.


@pytest.mark.parametrize("token", ["secret-token\n", " secret-token", "secret token", "secret\x07token"])
def test_a_token_with_a_newline_is_refused_at_the_start_and_not_shown(token: str) -> None:
    with pytest.raises(Exception, match=r"ARQLIGHT_ENVATO_TOKEN: it (begins or ends|holds)") as problem:
        load_settings(envato_token=token).of(SyncSettings)
    assert "secret" not in str(problem.value)


def test_an_exact_number_of_a_database_is_a_number_unless_it_is_endless() -> None:
    values = [Decimal("12"), Decimal("12.5"), Decimal("1E+999999999"), Decimal("NaN"), Decimal("Infinity")]
    shown = json.loads(json.dumps(values, default=plain_value))
    assert shown == [12, 12.5, "1E+999999999", "NaN", "Infinity"]


def test_each_marketplace_is_synced_hourly_and_read_whole_nightly_where_its_token_is_set() -> None:
    found = {each.name: each for each in schedules(load_settings(lemonsqueezy_token="key"))}
    assert {name for name, each in found.items() if each.enabled} == {"sync-lemonsqueezy", "sync-lemonsqueezy-full"}
    assert found["sync-lemonsqueezy-full"].kwargs == {"marketplace": "lemonsqueezy", "full": True}
    assert len(found) == 2 * len(marketplaces())


# Paging.


def read_list(
    answer: Callable[[str | None, int], Page], since: datetime | None = None, **kind: bool
) -> Iterator[tuple[str | None, Page]]:
    """The pages that a run reads of a list, with their keys."""
    place: Place | None = Place()
    number = 0
    while place is not None:
        number += 1
        page = answer(place.next_key, number)
        yield place.next_key, page
        place = following_place(Place.from_json(json.loads(json.dumps(place.to_json()))), page, since, **kind)


def numbered(ids: list[str], size: int, key: str | None, *, total: bool = False) -> Page:
    """A page of a list by its number."""
    number = int(key or 1)
    found = [sale(each) for each in ids[(number - 1) * size : number * size]]
    following = str(number + 1) if number * size < len(ids) else None
    return Page(found, following, len(found), total=len(ids) if total else None)


def test_pages_by_number_are_looked_at_twice_where_nothing_shows_that_the_list_stood_still() -> None:
    ids = [str(number) for number in range(6, 0, -1)]
    keys = [key for key, _ in read_list(lambda key, _: numbered(ids, 2, key), shifts=True)]
    assert keys == [None, "2", None, "3", "2"]
    keys = [key for key, _ in read_list(lambda key, _: numbered(ids, 2, key, total=True), shifts=True)]
    assert keys == [None, "2", "3"], "the list is as long as it was"
    keys = [key for key, _ in read_list(lambda key, _: numbered(ids, 2, key))]
    assert keys == [None, "2", "3"], "pages by key do not shift"


GOING = st.lists(st.one_of(st.none(), st.integers(0, 30)), max_size=30)
COMING = st.lists(st.one_of(st.none(), st.just(-1)), max_size=30)


@given(st.one_of(GOING, COMING), st.booleans(), st.integers(3, 5))
def test_whatever_goes_or_comes_between_requests_no_sale_that_stays_is_missed(
    changes: list[int | None], total: bool, size: int
) -> None:
    """Before each request nothing happens, a sale comes in (-1), or one goes."""
    ids = [str(number) for number in range(14, 0, -1)]
    newest, stays = 14, set(ids)
    seen: set[str] = set()

    def answer(key: str | None, number: int) -> Page:
        nonlocal newest
        change = changes[number - 1] if number <= len(changes) else None
        if change == -1:
            newest += 1
            ids.insert(0, str(newest))
        elif change is not None and change < len(ids):
            stays.discard(ids.pop(change))
        page = numbered(ids, size, key, total=total)
        seen.update(each.id for each in page.sales)
        return page

    for _ in read_list(answer, shifts=True):
        assert len(seen) <= 100
    assert stays <= seen


def test_a_list_that_ends_with_an_empty_page_ends_at_the_second_one() -> None:
    def answer(key: str | None, number: int) -> Page:
        number = int(key or 1)
        found = [sale(str(9 - number))] if number in (1, 3) else []
        return Page(found, str(number + 1), len(found))

    assert [key for key, _ in read_list(answer, ends_empty=True)] == [None, "2", "3", "4", "5"]


def test_reading_stops_at_a_page_whose_sales_are_all_older() -> None:
    ids = [str(number) for number in range(8, 0, -1)]
    since = NOW + timedelta(hours=6)
    keys = [key for key, _ in read_list(lambda key, _: numbered(ids, 2, key), since)]
    assert keys == [None, "2", "3"], "6 is on page 2, page 3 is older"


@pytest.mark.parametrize("loop", [["a"], ["a", "b"], ["a", "b", "c"], list("abcdefgh"), ["a", "b", "c", "b"]])
def test_a_loop_of_keys_is_found_within_a_few_rounds(loop: list[str]) -> None:
    read = 0

    def answer(key: str | None, number: int) -> Page:
        nonlocal read
        read = number
        return Page([sale(str(number))], loop[(number - 1) % len(loop)], 1)

    with pytest.raises(PagesInALoop, match="read already"):
        list(read_list(answer))
    assert read <= 4 * len(loop)


def test_the_same_page_again_and_a_key_without_end_are_found() -> None:
    with pytest.raises(PagesInALoop, match="the same as the 5 pages before"):
        list(read_list(lambda key, number: Page([sale()], str(number), 1)))
    with pytest.raises(UnexpectedAnswer, match="2,001 characters"):
        list(read_list(lambda key, number: Page([sale()], "k" * 2001, 1)))


def test_pages_that_share_an_entry_or_a_total_have_not_lost_one() -> None:
    before = Place(last_ids=("3", "2"), last_total=9)
    page = Page([sale("2"), sale("1")], None, 2, total=10)
    assert not may_have_moved(before, page)
    assert may_have_moved(before, replace(page, sales=[sale("1")]))
    assert not may_have_moved(before, replace(page, sales=[sale("1")], total=9))


# What becomes of a sale.


def test_a_sale_is_written_when_it_is_new_or_differs() -> None:
    known = row(sale())
    assert known["state"] == "paid"
    assert reconciled(known, sale()) is None
    assert (reconciled(known, sale(state="disputed")) or {})["state"] == "disputed"


def test_what_a_marketplace_said_earlier_never_replaces_what_it_said_later() -> None:
    later = row(sale(state="refunded", refunded_minor=1000, changed_at=NOW))
    assert reconciled(later, sale(changed_at=NOW - timedelta(seconds=1))) is None
    assert reconciled(later, sale(changed_at=NOW + timedelta(seconds=1))) is not None
    assert reconciled(later, sale()) is not None, "one that tells no time tells what is"


def test_a_refund_before_its_sale_counts_unless_the_sale_is_newer() -> None:
    early = Refund("1", 400, "partially_refunded", NOW)
    assert (reconciled(None, sale(changed_at=NOW - timedelta(hours=1)), early) or {})["refunded_minor"] == 400
    assert (reconciled(None, sale(changed_at=NOW + timedelta(hours=1)), early) or {})["refunded_minor"] == 0


def test_a_refund_alone_changes_the_sale_once() -> None:
    refund = Refund("1", 1000, "refunded", NOW)
    known = row(sale(changed_at=NOW - timedelta(hours=1)))
    assert refunded(known, refund) == {"refunded_minor": 1000, "state": "refunded", "changed_at": NOW}
    assert refunded({**known, **(refunded(known, refund) or {})}, refund) is None
    assert refunded({**known, "changed_at": NOW + timedelta(hours=1)}, refund) is None


@pytest.mark.parametrize(
    ("amount", "back", "disputed", "state"),
    [(1000, 0, False, "paid"), (1000, 1, False, "partially_refunded"), (1000, 1000, False, "refunded"),
     (1000, 1001, False, "refunded"), (0, 0, False, "paid"), (1000, 1000, True, "disputed")],
)  # fmt: skip
def test_the_state_of_a_sale_follows_from_what_went_back(amount: int, back: int, disputed: bool, state: str) -> None:
    assert refund_state(amount, back, disputed=disputed) == state


def test_a_report_tells_what_differs_and_no_buyer() -> None:
    before = row(sale())
    told = difference("1", before, row(sale(buyer="eve", amount_minor=1250)))
    assert told == {"sale_id": "1", "what": "changed", "before": {"buyer": "…", "amount": "10.00 USD"},
                    "after": {"buyer": "…", "amount": "12.50 USD"}}  # fmt: skip
    assert difference("1", None, before)["what"] == "new"
    assert difference("1", before, None)["after"] == {"state": "missing"}


def test_a_few_that_vanish_are_believed_and_half_of_all_are_not() -> None:
    assert not too_many_vanished(10, 10)
    assert not too_many_vanished(50, 100)
    assert too_many_vanished(51, 100)


# Runs.


def a_run(**more: Any) -> dict[str, Any]:
    return {"state": "running", "job_id": "a", "touched_at": NOW, "resume_at": None, "place": {}} | more


@pytest.mark.parametrize(
    ("newest", "choice"),
    [(None, "new"), (a_run(state="done"), "new"), (a_run(), "continue"), (a_run(job_id="b"), "leave"),
     (a_run(job_id="b", touched_at=NOW - timedelta(minutes=16)), "continue"),
     (a_run(job_id="b", touched_at=NOW - timedelta(hours=2), resume_at=NOW + timedelta(minutes=5)), "leave"),
     (a_run(state="failed", job_id="b"), "continue"), (a_run(state="failed", place=None), "new"),
     (a_run(state="failed", touched_at=NOW - timedelta(days=8)), "new")],
)  # fmt: skip
def test_a_job_goes_on_with_a_run_that_is_its_own_or_that_nobody_goes_on_with(newest: Any, choice: str) -> None:
    assert choose(newest, "a", NOW) == choice


def test_what_comes_between_says_how_the_run_stands() -> None:
    limit = pause_after(NotYet(40, "asked to wait"), progressed=True, is_last_try=True)
    assert (limit.state, limit.resume_s, limit.keep_place) == ("waiting", 40, True)
    trouble = MarketplaceTrouble("502")
    assert pause_after(trouble, progressed=False, is_last_try=False).problem is trouble, "it counts as an attempt"
    assert isinstance(pause_after(trouble, progressed=True, is_last_try=True).problem, NotYet), "it does not"
    assert pause_after(trouble, progressed=False, is_last_try=True).state == "failed"
    assert pause_after(TokenRefused("401"), progressed=False, is_last_try=False).keep_place
    assert not pause_after(UnexpectedAnswer("400"), progressed=True, is_last_try=False).keep_place


def test_a_turn_ends_well_before_a_timeout_that_people_set() -> None:
    assert turn_s({}) == LONGEST_TURN_S
    assert turn_s({"override": Override(timeout_s=40)}) == 20


# Entries.


@pytest.mark.parametrize("text", ["\\u0000", "a\\\\u0000b"])
def test_a_backslash_that_is_text_is_no_nul(text: str) -> None:
    found, _, refused = read_entries([{"name": text}], lambda entry: sale(product=entry["name"]))
    assert (len(found), refused) == (1, [])


@pytest.mark.parametrize("value", ["a\0", "\ud800", float("nan"), float("inf")])
def test_what_postgresql_cannot_keep_is_refused(value: Any) -> None:
    found, _, [refused] = read_entries([{"name": value}], lambda entry: sale())
    assert found == []
    json.dumps(refused.to_json()).encode()
