"""The feed of a connection: one reader of its stream for all subscribers of this process.

Once a tick, and only when something happened, it reads the events since the last tick and the truth of what is
subscribed, encodes each frame once, and hands the tick to every subscriber.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Iterable
from typing import Any

from arqlight.background import end, keep
from arqlight.connections.connection import Connection, Transition
from arqlight.connections.connection_errors import SERVER_ERRORS
from arqlight.errors import ArqlightError, JobNotFound
from arqlight.jobs.cursors import START
from arqlight.jobs.names import name_shown_as, shown_name
from arqlight.jobs.overview import Overview
from arqlight_service.feed.frames import open_frame
from arqlight_service.feed.recent import RecentEvents
from arqlight_service.feed.subscriber import Subscriber
from arqlight_service.feed.tick import Event as Event
from arqlight_service.feed.tick import Tick as Tick
from arqlight_service.operations.operations import Operations
from arqlight_service.operations.reachability import Reachability
from arqlight_service.operations.status import status_of

logger = logging.getLogger("arqlight.feed")
# Half of it is what a transition waits on average. Ten a second would be enough for people.
TICK_S = 0.08
# Plain arq clients and workers write no events: what they change is found by looking, as long as someone watches.
LOOK_MS = 500
SILENT_S = 4.0
PAGE = 1_000
MOST_EVENTS_A_TICK = 10_000
FAILED_ROWS = 20
AWAY_PAUSE_S = 1.0
WATCHED_S = 6

PLAIN_TOPICS = ("counts", "active", "failed", "events", "workers", "logs", "operations", "connections")
NAMED_TOPICS = ("queue:", "job:")


class Feed:
    """Reads the stream and the truth; subscribers come and go."""

    def __init__(self, connection: Connection, operations: Operations, reachability: Reachability) -> None:
        self._connection = connection
        self._reader = connection.reader
        self._stream = connection.stream
        self._operations = operations
        self._reachability = reachability
        self._subscribers: set[Subscriber] = set()
        self._somebody = asyncio.Event()
        self._position = START
        self._recent = RecentEvents()
        self._told: dict[str, str] = {}
        self._running: set[str] = set()  # jobs somebody looks at that run: what they tell moves without an event
        self._watched_until = 0.0
        self._failed_seen: dict[str, str] = {}  # of a stream that tells nothing: job -> when it failed

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Read the stream while the body runs."""
        task = keep(f"feed of connection {self._connection.name!r}", self._run)
        try:
            yield
        finally:
            await end(task)

    @contextlib.asynccontextmanager
    async def attached(self, subscriber: Subscriber) -> AsyncIterator[None]:
        """Hand ticks to `subscriber` while the body runs."""
        if not self._subscribers:
            await self._begin_anew()  # nobody watched for a while: there is a gap behind what is in memory
        self._subscribers.add(subscriber)
        self._somebody.set()
        try:
            yield
        finally:
            self._subscribers.discard(subscriber)
            if not self._subscribers:
                self._somebody.clear()

    async def can_resume(self, cursor: str) -> bool:
        """Whether the stream still has everything after `cursor`."""
        return await self._stream.can_resume(cursor)

    async def events_after(self, cursor: str) -> list[Event]:
        """A page of the events behind `cursor`, oldest first; those that ticks carried lately come from memory."""
        kept = self._recent.after(cursor, PAGE)
        return await self._read_events(cursor, PAGE) if kept is None else kept

    async def _read_events(self, cursor: str, count: int, *, with_frames: bool = True) -> list[Event]:
        return [_event(each) for each in await self._stream.after(cursor, count, told=with_frames)]

    async def snapshot(self, topics: Iterable[str]) -> tuple[str, list[tuple[str, Any]]]:
        """The truth of `topics` now, and the cursor it stands at."""
        overview = await self._reader.overview()
        truths = [(topic, await self._read(topic, overview)) for topic in topics]
        for topic, data in truths:
            # Who gets this may differ from what all were told last: then the next tick tells it.
            if self._told.get(topic) != _as_told(topic, data):
                self._told.pop(topic, None)
        return overview.cursor, truths

    async def failed_changes(self, touched: list[str]) -> dict[str, Any]:
        """What became of the jobs `touched` in the failed list: `{"added": [job], "removed": [id]}`."""
        added = await self._reader.failed_by_id(touched)
        there = {job["id"] for job in added}
        return {"added": added, "removed": [shown for job in touched if (shown := shown_name(job)) not in there]}

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._somebody.wait()
            begun, pause_s = loop.time(), TICK_S
            try:
                await self._await_events()
                tick = await self._make_tick()
            except (*SERVER_ERRORS, ArqlightError) as error:
                logger.warning("the feed of connection %r waits for its server: %s", self._connection.name, error)
                tick = Tick(self._position, [], await self._changed_connections(), self._position)
                pause_s = AWAY_PAUSE_S
            self._recent.add(tick)
            if tick.events or tick.changes:
                for subscriber in list(self._subscribers):
                    subscriber.offer(tick)
            await asyncio.sleep(max(0.0, begun + pause_s - loop.time()))

    async def _await_events(self) -> None:
        """Return when there are events, or when it is time to look."""
        async with asyncio.timeout(LOOK_MS / 1000 + SILENT_S):  # then it is asked whether the server answers at all
            await self._stream.wait(self._position, LOOK_MS)

    async def _make_tick(self) -> Tick:
        since = self._position
        has_frames = any("events" in subscriber.topics for subscriber in self._subscribers)
        events = await self._read_events(since, MOST_EVENTS_A_TICK, with_frames=has_frames)
        if self._stream.tells and not await self._stream.can_resume(since):
            return await self._lose_place()
        cursor = events[-1].cursor if events else since
        wanted = {topic for subscriber in self._subscribers for topic in subscriber.topics}
        changes: dict[str, str] = {}
        await self._say_watched(wanted)
        overview = await self._reader.overview()
        moved = {shown_name(event.job) for event in events}
        for topic in wanted - {"failed", "events"}:
            if topic.startswith("job:") and topic.removeprefix("job:") not in moved | self._running:
                continue
            self._note_change(changes, topic, await self._read(topic, overview))
        self._told = {topic: told for topic, told in self._told.items() if topic in wanted}
        touched = list(dict.fromkeys(event.job for event in events if event.touches_failed))
        if touched and "failed" in wanted:
            changes["failed"] = open_frame("change", "failed", await self.failed_changes(touched))
        if not self._stream.tells and "failed" in wanted and (found := await self._looked_at_failed()):
            changes["failed"] = open_frame("change", "failed", found)
        self._position = cursor
        return Tick(cursor, events, changes, since, has_frames)

    async def _begin_anew(self) -> None:
        """Go on from the newest event, with nothing told yet."""
        self._position = await self._stream.last_cursor()
        self._recent.clear()
        self._told.clear()
        self._failed_seen.clear()

    async def _lose_place(self) -> Tick:
        """The stream no longer goes on from where we stand: it lost its data, or was cut faster than we read."""
        await self._begin_anew()
        for subscriber in self._subscribers:
            subscriber.fall_behind()
        return Tick(self._position, [], {}, self._position)

    def _note_change(self, changes: dict[str, str], topic: str, data: Any) -> None:
        told = _as_told(topic, data)
        if self._told.get(topic) != told:
            self._told[topic] = told
            changes[topic] = open_frame("change", topic, data)

    async def _looked_at_failed(self) -> dict[str, Any] | None:
        """What is new and what is gone in the failed list, where no event says so; None when nothing is."""
        listed, _ = await self._reader.failed(limit=FAILED_ROWS)
        seen, self._failed_seen = self._failed_seen, {job["id"]: job["failed_at"] for job in listed}
        added = [job for job in listed if seen.get(job["id"]) != job["failed_at"]]
        removed = [job_id for job_id in seen if job_id not in self._failed_seen]
        return {"added": added, "removed": removed} if added or removed else None

    async def _changed_connections(self) -> dict[str, str]:
        """What can still be told when the server of this feed is away: that it is."""
        changes: dict[str, str] = {}
        if any("connections" in subscriber.topics for subscriber in self._subscribers):
            await self._reachability.ask(self._connection)
            self._note_change(changes, "connections", self._reachability.to_json())
        return changes

    async def _say_watched(self, topics: set[str]) -> None:
        """Tell workers that somebody looks at progress; they write none else."""
        self._running = {name for name in self._running if f"job:{name}" in topics}
        now = asyncio.get_running_loop().time()
        if now > self._watched_until - WATCHED_S / 2 and (
            "active" in topics or any(t.startswith("job:") for t in topics)
        ):
            await self._stream.say_watched(WATCHED_S)
            self._watched_until = now + WATCHED_S

    async def _read(self, topic: str, overview: Overview) -> Any:
        kind, _, name = topic.partition(":")
        if kind == "counts":
            stats = overview.stats()
            return stats | {"standing": status_of(stats)}
        if kind == "active":
            return [job.to_json() for job in overview.active]
        if kind == "failed":
            return (await self._reader.failed(limit=FAILED_ROWS))[0]
        if kind == "workers":
            return await self._reader.workers()
        if kind == "logs":
            has_log = self._connection.supports("log")
            return {"newest": await self._connection.log.newest() if has_log else None}
        if kind == "operations":
            return [operation.to_json() for operation in await self._operations.newest()]
        if kind == "connections":
            return self._reachability.to_json()
        if kind == "queue":
            figures = (queue.to_json() for queue in overview.queues)
            return next((queue for queue in figures if queue["queue"] == name), None)
        if kind == "job":
            self._running.discard(name)
            try:
                job = await self._reader.job_json(name_shown_as(name))
            except JobNotFound:
                return None
            if job["state"] == "processing":
                self._running.add(name)
            return job
        return []  # the events up to here are the past: a snapshot of them is empty


def _as_told(topic: str, data: Any) -> str:
    """What is compared. The cursor inside the figures moves with every event: it alone is no change."""
    return json.dumps({**data, "cursor": None} if topic == "counts" else data)


def _event(transition: Transition) -> Event:
    told, cursor = transition.told, transition.cursor
    frame = "" if told is None else json.dumps({"type": "event", **told, "cursor": cursor})
    return Event(cursor, transition.job, frame, transition.touches_failed)
