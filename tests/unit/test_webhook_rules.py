"""What is decided of a delivery and of an endpoint: when again, when to pause, when to switch off."""

from datetime import UTC, datetime, timedelta

import pytest

from arqlight.families.retry_after import retry_after_s
from arqlight.families.webhooks.records.replays import Selection
from arqlight.families.webhooks.rules.breaker import OPENS_AFTER, Breaker, pause_s
from arqlight.families.webhooks.rules.disabling import disabled_at, verdict
from arqlight.families.webhooks.rules.retries import MOVES_FOR_S, WAITS_S, moved_s

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_attempts_are_spread_over_more_than_a_day() -> None:
    assert WAITS_S == (5, 300, 1800, 7200, 18_000, 36_000, 36_000)


@pytest.mark.parametrize(
    ("asked_s", "age_s", "moved"),
    [(None, 0, None), (3, 0, 5), (0, 0, 5), (120, 0, 120), (3, 3600, 360), (float("inf"), 0, 86_400),
     (3600, MOVES_FOR_S - 1, None), (3, MOVES_FOR_S, None)],
)  # fmt: skip
def test_a_retry_after_moves_a_try_but_not_without_end(
    asked_s: float | None, age_s: float, moved: float | None
) -> None:
    assert moved_s(asked_s, age_s) == moved


def test_a_receiver_that_says_soon_for_days_is_asked_a_bounded_number_of_times() -> None:
    age_s, moves = 0.0, 0
    while (wait_s := moved_s(1, age_s)) is not None:
        age_s, moves = age_s + wait_s, moves + 1
    assert 50 < moves < 150


def test_a_retry_after_that_is_a_date_is_read_by_the_clock_of_who_sent_it() -> None:
    """A receiver whose clock is an hour ahead asks for two minutes, not for an hour and two minutes."""
    sent, until = "Wed, 21 Oct 2015 08:28:00 GMT", "Wed, 21 Oct 2015 08:30:00 GMT"
    assert retry_after_s(until, sent) == 120
    assert retry_after_s(until, "no date") == 0
    assert retry_after_s("7", sent) == 7


def test_a_breaker_opens_after_silence_in_a_row_and_pauses_ever_longer() -> None:
    breaker = Breaker()
    for _ in range(OPENS_AFTER - 1):
        breaker = breaker.after(NOW, is_answered=False, is_probe=False)
        assert breaker.wait_s(NOW) == 0
    breaker = breaker.after(NOW, is_answered=False, is_probe=False)
    assert (breaker.probes, breaker.wait_s(NOW), breaker.wait_s(NOW + DAY)) == (True, 30, 0)
    assert breaker.after(NOW, is_answered=False, is_probe=False) == breaker, "what ran before it opened counted"
    probed = breaker.probed(NOW, 25)
    assert probed.wait_s(NOW) == 25, "a second delivery went out beside the probe"
    assert probed.after(NOW, is_answered=False, is_probe=True).wait_s(NOW) == 60
    assert probed.after(NOW, is_answered=True, is_probe=True) == Breaker(), "any answer closes it"
    assert pause_s(10**9) == 900


def test_an_endpoint_is_switched_off_after_days_of_failure_and_its_owner_is_told_before() -> None:
    since = NOW - 5 * DAY
    assert verdict(None, None, NOW, 5) == "keep"
    assert verdict(NOW, None, NOW, 5) == "keep", "a burst of failures is no day"
    assert verdict(NOW - 2.4 * DAY, None, NOW, 5) == "keep"
    assert verdict(NOW - 2.5 * DAY, None, NOW, 5) == "warn"
    assert verdict(since, NOW - 2.5 * DAY, NOW, 5) == "disable"
    assert verdict(since, NOW - 2.4 * DAY, NOW, 5) == "keep"


def test_one_that_gets_an_event_a_week_is_told_as_long_before() -> None:
    since = NOW - 30 * DAY
    assert verdict(since, None, NOW, 5) == "warn", "it was switched off without a word"
    assert verdict(since, NOW, NOW + DAY, 5) == "keep"
    assert verdict(since, NOW, NOW + 2.5 * DAY, 5) == "disable"
    assert disabled_at(since, NOW, 5) == NOW + 2.5 * DAY
    assert disabled_at(NOW, None, 5) == NOW + 5 * DAY
    assert disabled_at(None, None, 5) is None


@pytest.mark.parametrize(
    ("selected", "field"),
    [(Selection(), "failed"), (Selection(message_id="m", failed=True), "message_id"),
     (Selection(message_id="m", since=NOW), "message_id"), (Selection(since=NOW, until=NOW), "until")],
)  # fmt: skip
def test_what_a_replay_means_is_said_in_one_way(selected: Selection, field: str) -> None:
    from arqlight.errors import InvalidInput

    with pytest.raises(InvalidInput) as refused:
        selected.check()
    assert refused.value.field == field
