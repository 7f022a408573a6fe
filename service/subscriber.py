"""One consumer of the feed, whatever carries its frames: catch up, follow, and never hold more than a few ticks."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from service.cursors import place

if TYPE_CHECKING:
    from service.feed import Feed, Tick

logger = logging.getLogger("arqlight.feed")
MOST_WAITING_TICKS = 50
SEND_TIMEOUT_S = 10.0
# Above so many failed jobs touched while it was away, a consumer gets the failed list anew.
MOST_TOUCHED = 500
Send = Callable[[str], Awaitable[None]]


class TooSlow(Exception):
    """The consumer did not take a frame in time."""


class Subscriber:
    """Follows the feed from a cursor. One that falls behind is served like one that reconnects."""

    def __init__(self, feed: "Feed", send: Send) -> None:
        self._feed = feed
        self._send = send
        self._ticks: deque[Tick] = deque()
        self._woken = asyncio.Event()
        self._behind = False
        self._cursor: str | None = None
        self.topics: tuple[str, ...] = ()

    def subscribe(self, topics: list[str], since: str | None) -> None:
        """Follow `topics` from now on, instead of what was followed before; `since` None asks for a snapshot."""
        self.topics = tuple(dict.fromkeys(topics))
        self._cursor = since
        self._fall_behind()

    def offer(self, tick: "Tick") -> None:
        """Take a tick to send; when too many wait, they are let go and read again from the stream later."""
        if not self.topics or self._behind:
            return
        if len(self._ticks) >= MOST_WAITING_TICKS:
            self._fall_behind()
            return
        self._ticks.append(tick)
        self._woken.set()

    async def run(self) -> None:
        """Send until cancelled. Raises TooSlow, or what `send` raises when the consumer is gone."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._behind:
                self._behind = False
                await self._catch_up()
            while self._ticks and not self._behind:
                await self._follow(self._ticks.popleft())

    def _fall_behind(self) -> None:
        self._ticks.clear()
        self._behind = True
        self._woken.set()

    async def _follow(self, tick: "Tick") -> None:
        topics = self.topics
        if "events" in topics:
            for event in tick.events:
                if self._is_news(event.cursor):
                    await self._put(event.frame)
                    self._cursor = event.cursor
        for topic in topics:
            if topic in tick.changes:
                await self._put(tick.changes[topic])
        if self._is_news(tick.cursor):
            self._cursor = tick.cursor

    async def _catch_up(self) -> None:
        if self._cursor is not None and await self._feed.can_resume(self._cursor):
            await self._replay(self._cursor)
            return
        if self._cursor is not None:
            await self.complain(
                f"cursor {self._cursor} is older than what the feed keeps, or of another server; "
                "events were missed, a fresh snapshot follows"
            )
        topics = self.topics
        cursor, truths = await self._feed.snapshot(topics)
        self._cursor = cursor
        for topic, data in truths:
            await self._put(json.dumps({"type": "snapshot", "topic": topic, "data": data, "cursor": cursor}))

    async def _replay(self, since: str) -> None:
        topics, touched = self.topics, dict[str, None]()
        self._cursor = since
        if {"events", "failed"} & set(topics):
            while events := await self._feed.events_after(self._cursor):
                touched |= {event.job: None for event in events if event.touches_failed}
                if "events" in topics:
                    for event in events:
                        await self._put(event.frame)
                self._cursor = events[-1].cursor
        cursor, truths = await self._feed.snapshot(
            [topic for topic in topics if topic != "events" and (topic != "failed" or len(touched) > MOST_TOUCHED)]
        )
        # Events between the last page and this reading come with the ticks: they are not behind us yet.
        reached = self._cursor if {"events", "failed"} & set(topics) else cursor
        for topic, data in truths:
            kind = "snapshot" if topic == "failed" else "change"
            await self._put(json.dumps({"type": kind, "topic": topic, "data": data, "cursor": reached}))
        if "failed" in topics and 0 < len(touched) <= MOST_TOUCHED:
            data = await self._feed.failed_changes(list(touched))
            await self._put(json.dumps({"type": "change", "topic": "failed", "data": data, "cursor": reached}))
        self._cursor = reached

    async def complain(self, detail: str) -> None:
        """Tell the consumer what was wrong."""
        await self._put(json.dumps({"type": "error", "detail": detail, "cursor": self._cursor}))

    async def _put(self, text: str) -> None:
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._send(text)
        except TimeoutError:
            raise TooSlow(f"a frame waited {SEND_TIMEOUT_S:g} s to be read") from None

    def _is_news(self, cursor: str) -> bool:
        return self._cursor is None or place(cursor) > place(self._cursor)
