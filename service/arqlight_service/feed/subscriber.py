"""One consumer of the feed, whatever carries its frames: catch up, follow, and never hold more than a few ticks."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable

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
        self._cursor: str | None = None
        self.topics: tuple[str, ...] = ()

    def subscribe(self, topics: list[str], since: str | None) -> None:
        """Follow `topics` from now on, instead of what was followed before; `since` None asks for a snapshot."""
        self.topics = tuple(dict.fromkeys(topics))
        self._cursor = since
        self._fall_behind()

    def offer(self, tick: Tick) -> None:
        """Take a tick; when too many wait, they are let go and read again from the stream later."""
        if not self.topics or self._behind:
            return
        if self._is_idle and self._cursor == tick.since and self._write:
            # In step: nothing is on its way, and what came last is what the tick begins with.
            blob = tick.blob(self.topics)
            if blob is not None and (not blob or self._write(blob)):
                self._cursor = tick.cursor
                return
        if ("events" in self.topics and not tick.has_frames) or len(self._ticks) >= MOST_WAITING_TICKS:
            self._fall_behind()
        else:
            self._is_idle = False
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
            self._is_idle = not self._behind

    def _fall_behind(self) -> None:
        self._ticks.clear()
        self._behind = True
        self._is_idle = False
        self._woken.set()

    async def _follow(self, tick: Tick) -> None:
        for frame, cursor in tick.frames(self.topics, self._cursor):
            self._cursor = cursor or None
            await self._put(frame)
        self._advance(tick.cursor)

    async def _catch_up(self) -> None:
        if self._cursor is not None and await self._feed.can_resume(self._cursor):
            await self._replay(self._cursor)
            return
        if self._cursor is not None:
            await self.complain(
                f"cursor {self._cursor} is older than what the feed keeps, or of another server; "
                "events were missed, a fresh snapshot follows"
            )
        cursor, truths = await self._feed.snapshot(self.topics)
        self._cursor = cursor
        for topic, data in truths:
            await self._put(with_cursor(open_frame("snapshot", topic, data), cursor))

    async def _replay(self, since: str) -> None:
        topics = self.topics
        self._cursor = since
        follows_stream = bool({"events", "failed"} & set(topics))
        while follows_stream and (events := await self._feed.events_after(self._cursor)):
            touched = dict.fromkeys(event.job for event in events if event.touches_failed)
            if "failed" in topics and touched:
                data = await self._feed.failed_changes(list(touched))
                await self._put(with_cursor(open_frame("change", "failed", data), self._cursor))
            for event in events:
                self._cursor = event.cursor
                if "events" in topics:
                    await self._put(event.frame)
        cursor, truths = await self._feed.snapshot([topic for topic in topics if topic not in ("events", "failed")])
        # Events between the last page and this reading come with the ticks: they are not behind us yet.
        if not follows_stream:
            self._cursor = cursor
        for topic, data in truths:
            await self._put(with_cursor(open_frame("change", topic, data), self._cursor))

    async def complain(self, detail: str) -> None:
        """Tell the consumer what was wrong."""
        await self._put(json.dumps({"type": "error", "detail": detail, "cursor": self._cursor}))

    async def _put(self, text: str) -> None:
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._send(text)
        except TimeoutError:
            raise TooSlow(f"a frame waited {SEND_TIMEOUT_S:g} s to be read") from None

    def _advance(self, cursor: str) -> None:
        """Move on to `cursor`, unless it is behind us already."""
        if self._cursor is None or place(cursor) > place(self._cursor):
            self._cursor = cursor
