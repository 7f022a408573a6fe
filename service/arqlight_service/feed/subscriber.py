"""One consumer of the feed, whatever carries its frames: catch up, follow, and never hold more than a few ticks."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from arqlight.jobs.cursors import place
from arqlight_service.feed.frames import open_frame, with_cursor
from arqlight_service.feed.source import Source
from arqlight_service.feed.tick import Tick

logger = logging.getLogger("arqlight.feed")
MOST_WAITING_TICKS = 50
SEND_TIMEOUT_S = 10.0
Send = Callable[[str], Awaitable[None]]
# Takes a tick's bytes at once, or says that it cannot: the consumer has not read what it was sent before.
Write = Callable[[bytes], bool]


class TooSlow(Exception):
    """The consumer did not take a frame in time."""


class _Replaced(Exception):
    """The consumer subscribed anew while the subscription before was served."""


@dataclass(slots=True)
class _Subscription:
    """What a consumer asked for, and the place up to which it was served."""

    topics: tuple[str, ...] = ()
    cursor: str | None = None
    id: str | None = None  # what the consumer calls it, until it was answered

    def advance(self, cursor: str) -> None:
        """Move on to `cursor`, unless it is behind us already."""
        if self.cursor is None or place(cursor) > place(self.cursor):
            self.cursor = cursor


class Subscriber:
    """Follows the feed from a cursor. One that falls behind is served like one that reconnects.

    :param send: sends one frame, and waits while the consumer does not read.
    :param write: sends the bytes that all who are in step get; without it, each frame is sent by itself.
    """

    def __init__(self, feed: Source, send: Send, write: Write | None = None) -> None:
        self._feed = feed
        self._send = send
        self._write = write
        self._is_idle = False
        self._ticks: deque[Tick] = deque()
        self._woken = asyncio.Event()
        self._behind = False
        self._subscription = _Subscription()

    @property
    def topics(self) -> tuple[str, ...]:
        """What is followed."""
        return self._subscription.topics

    def subscribe(self, topics: list[str], since: str | None, name: str | None = None) -> None:
        """Follow `topics` from now on, instead of what was followed before; `since` None asks for a snapshot.

        A subscription with a name is answered by it: all frames behind that answer are of this subscription.
        """
        self._subscription = _Subscription(tuple(dict.fromkeys(topics)), since, name)
        self.fall_behind()

    def offer(self, tick: Tick) -> None:
        """Take a tick; when too many wait, they are let go and read again from the stream later."""
        mine = self._subscription
        if not mine.topics or self._behind:
            return
        if self._is_idle and mine.cursor == tick.since and self._write:
            # In step: nothing is on its way, and what came last is what the tick begins with.
            blob = tick.blob(mine.topics)
            if blob is not None and (not blob or self._write(blob)):
                mine.cursor = tick.cursor
                return
        if ("events" in mine.topics and not tick.has_frames) or len(self._ticks) >= MOST_WAITING_TICKS:
            self.fall_behind()
        else:
            self._is_idle = False
            self._ticks.append(tick)
            self._woken.set()

    def fall_behind(self) -> None:
        """Let go what waits; what was missed is read from the stream, or told to be gone."""
        self._ticks.clear()
        self._behind = True
        self._is_idle = False
        self._woken.set()

    async def run(self) -> None:
        """Send until cancelled. Raises TooSlow, or what `send` raises when the consumer is gone."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                while self._behind:
                    self._behind = False
                    await self._catch_up(self._subscription)
                while self._ticks and not self._behind:
                    await self._follow(self._subscription, self._ticks.popleft())
            except _Replaced:
                self._woken.set()
            self._is_idle = not self._behind

    async def _follow(self, mine: _Subscription, tick: Tick) -> None:
        for frame, cursor in tick.frames(mine.topics, mine.cursor):
            mine.cursor = cursor or None
            await self._put(mine, frame)
        mine.advance(tick.cursor)

    async def _catch_up(self, mine: _Subscription) -> None:
        if mine.id is not None:
            answer = {"type": "subscribed", "id": mine.id, "topics": list(mine.topics), "cursor": mine.cursor}
            await self._put(mine, json.dumps(answer))
            mine.id = None
        if mine.cursor is not None and await self._replay(mine):
            return
        if mine.cursor is not None:
            detail = (
                f"cursor {mine.cursor} is older than what the feed keeps, or of another server; "
                "events were missed, a fresh snapshot follows"
            )
            await self._put(mine, _complaint(detail, None))
        # The failed list first: whoever is cut off behind it and resumes gets the rest, but only changes of that list.
        mine.cursor, truths = await self._feed.snapshot(sorted(mine.topics, key=lambda topic: topic != "failed"))
        for topic, data in truths:
            await self._put(mine, with_cursor(open_frame("snapshot", topic, data), mine.cursor))

    async def _replay(self, mine: _Subscription) -> bool:
        """Send what came behind the cursor; False when the stream does not have all of it any more."""
        topics = mine.topics
        follows_stream = bool({"events", "failed"} & set(topics))
        while mine.cursor is not None:
            events = await self._feed.events_after(mine.cursor) if follows_stream else []
            # Asked after reading: what was cut off or lost meanwhile is not in the page.
            if not await self._feed.can_resume(mine.cursor):
                return False
            if not events:
                break
            touched = dict.fromkeys(event.job for event in events if event.touches_failed)
            if "failed" in topics and touched:
                data = await self._feed.failed_changes(list(touched))
                await self._put(mine, with_cursor(open_frame("change", "failed", data), mine.cursor))
            for event in events:
                mine.cursor = event.cursor
                if "events" in topics:
                    await self._put(mine, event.frame)
        cursor, truths = await self._feed.snapshot([topic for topic in topics if topic not in ("events", "failed")])
        # Events between the last page and this reading come with the ticks: they are not behind us yet.
        if not follows_stream:
            mine.cursor = cursor
        for topic, data in truths:
            await self._put(mine, with_cursor(open_frame("change", topic, data), mine.cursor))
        return True

    async def complain(self, detail: str) -> None:
        """Tell the consumer what was wrong."""
        await self._put(self._subscription, _complaint(detail, self._subscription.cursor))

    async def _put(self, mine: _Subscription, text: str) -> None:
        if mine is not self._subscription:
            raise _Replaced
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._send(text)
        except TimeoutError:
            raise TooSlow(f"a frame waited {SEND_TIMEOUT_S:g} s to be read") from None


def _complaint(detail: str, cursor: str | None) -> str:
    return json.dumps({"type": "error", "detail": detail, "cursor": cursor})
