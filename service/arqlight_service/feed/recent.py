"""The last events of a feed, kept in memory.

Consumers that fall behind or are cut off together ask for the same events. Read from the stream for each of them, a
thousand consumers take longer than a tick, fall behind again, and never arrive.
"""

import bisect

from arqlight.jobs.cursors import place
from arqlight_service.feed.tick import Event, Tick

MOST_EVENTS = 10_000


class RecentEvents:
    """What the last ticks carried, without a gap, `MOST_EVENTS` at most."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._places: list[tuple[int, int]] = []
        self._begin: str | None = None  # the events are those behind this cursor, up to the end of the last tick
        self._end: str | None = None

    def add(self, tick: Tick) -> None:
        """Keep a tick's events. One that does not begin where the last one ended replaces what there is."""
        if self._end is None or tick.since != self._end:
            self.clear()
            self._begin = tick.since
        self._end = tick.cursor
        self._events += tick.events
        self._places += [place(event.cursor) for event in tick.events]
        if (surplus := len(self._events) - MOST_EVENTS) > 0:
            self._begin = self._events[surplus - 1].cursor
            del self._events[:surplus], self._places[:surplus]

    def clear(self) -> None:
        """Forget everything."""
        self._events, self._places = [], []
        self._begin = self._end = None

    def after(self, cursor: str, count: int) -> list[Event] | None:
        """At most `count` events behind `cursor`, oldest first.

        None when they are not all here: `cursor` is outside of what is kept, or an event was read without its frame.
        """
        if self._begin is None or self._end is None or not place(self._begin) <= place(cursor) <= place(self._end):
            return None
        first = bisect.bisect_right(self._places, place(cursor))
        events = self._events[first : first + count]
        return events if all(event.frame for event in events) else None
