"""The events that consumers who fell behind are served from memory: complete, or not at all."""

import pytest

from arqlight_service.feed import recent
from arqlight_service.feed.recent import RecentEvents
from arqlight_service.feed.tick import Event, Tick


def tick(since: int, *numbers: int, frame: str = "{}") -> Tick:
    events = [Event(f"{number}-0", f"job-{number}", frame, False) for number in numbers]
    return Tick(events[-1].cursor if events else f"{since}-0", events, {}, f"{since}-0")


def cursors(events: list[Event] | None) -> list[str] | None:
    return None if events is None else [event.cursor for event in events]


def test_events_of_several_ticks_are_given_in_pages_from_any_cursor_within_them() -> None:
    kept = RecentEvents()
    kept.add(tick(1, 2, 3))
    kept.add(tick(3, 4, 6))
    assert cursors(kept.after("1-0", 3)) == ["2-0", "3-0", "4-0"]
    assert cursors(kept.after("4-0", 3)) == ["6-0"]
    assert cursors(kept.after("5-0", 3)) == ["6-0"]
    assert cursors(kept.after("6-0", 3)) == []


def test_a_cursor_outside_of_what_is_kept_is_left_to_the_stream() -> None:
    kept = RecentEvents()
    assert kept.after("1-0", 3) is None
    kept.add(tick(1, 2))
    assert kept.after("0-9", 3) is None
    assert kept.after("3-0", 3) is None


def test_a_tick_behind_a_gap_replaces_what_was_kept() -> None:
    kept = RecentEvents()
    kept.add(tick(1, 2))
    kept.add(tick(5, 6))
    assert kept.after("2-0", 3) is None
    assert cursors(kept.after("5-0", 3)) == ["6-0"]


def test_events_read_without_their_frames_are_not_given() -> None:
    kept = RecentEvents()
    kept.add(tick(1, 2, frame=""))
    assert kept.after("1-0", 3) is None


def test_the_oldest_events_are_dropped_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MOST_EVENTS", 3)
    kept = RecentEvents()
    kept.add(tick(1, 2, 3, 4))
    kept.add(tick(4, 5))
    assert kept.after("1-0", 9) is None
    assert cursors(kept.after("2-0", 9)) == ["3-0", "4-0", "5-0"]
