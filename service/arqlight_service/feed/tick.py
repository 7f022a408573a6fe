"""A tick: what happened since the last one, ready to be sent to everyone."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from arqlight.jobs.cursors import place
from arqlight_service.feed.frames import on_the_wire, with_cursor


@dataclass(frozen=True, slots=True)
class Event:
    """One transition. `frame` is what a subscriber of `events` gets; empty in a tick that nobody wanted them of."""

    cursor: str
    job: str
    frame: str
    touches_failed: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """The events, and an opened frame for each topic that changed, between the cursors `since` and `cursor`."""

    cursor: str
    events: list[Event]
    changes: dict[str, str]
    since: str | None = None
    has_frames: bool = True
    _blobs: dict[tuple[str, ...], bytes] = field(default_factory=dict)

    def frames(self, topics: tuple[str, ...], cursor: str | None) -> Iterator[tuple[str, str]]:
        """What a subscriber of `topics` that stands at `cursor` is sent: each frame, and its cursor.

        What changed goes out before the events behind it, still under the old cursor: a consumer that is cut off in
        between asks again from there, and gets both. Only what comes last moves the cursor.
        """
        wants_events = "events" in topics
        changes = [self.changes[topic] for topic in topics if topic in self.changes]
        for number, change in enumerate(changes, start=1):
            if number == len(changes) and not wants_events and not _behind(self.cursor, cursor):
                cursor = self.cursor
            yield with_cursor(change, cursor), cursor or ""
        if wants_events:
            for event in self.events:
                if not _behind(event.cursor, cursor):
                    cursor = event.cursor
                    yield event.frame, cursor

    def blob(self, topics: tuple[str, ...]) -> bytes | None:
        """The frames of all who stand at `since`, as bytes for a WebSocket: made once, sent to each.

        None for topics that this tick was not made for.
        """
        blob = self._blobs.get(topics)
        if blob is None:
            if "events" in topics and not self.has_frames:
                return None
            blob = self._blobs[topics] = on_the_wire(text for text, _ in self.frames(topics, self.since))
        return blob


def _behind(cursor: str, other: str | None) -> bool:
    """Whether `cursor` is not after `other`."""
    return other is not None and place(cursor) <= place(other)
