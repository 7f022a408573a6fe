"""The feed: one reader of the event stream for all subscribers of this process.

Once a tick, and only when something happened, it reads the events since the last tick and the truth of what is
subscribed, encodes each frame once, and hands the tick to every subscriber.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Iterable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from service.cursors import START, place
from service.frames import open_frame
from service.operations import read_operations
from service.standing import standing
from service.subscriber import Subscriber
from service.ticks import Event as Event
from service.ticks import Tick as Tick
from workers.errors import JobNotFound
from workers.keys import KEYS, queue_name
from workers.logs import newest_line
from workers.plain import iso
from workers.reading import Overview, Reader
from workers.settings import Settings

logger = logging.getLogger("arqlight.feed")
# Half of it is what a transition waits on average. Ten a second would be enough for people.
TICK_S = 0.08
# Plain arq clients and workers write no events: what they change is found by looking, as long as someone watches.
LOOK_MS = 500
PAGE = 1_000
MOST_EVENTS_A_TICK = 10_000
FAILED_ROWS = 20
WATCHED_S = 6

PLAIN_TOPICS = ("counts", "active", "failed", "events", "workers", "logs", "operations")
NAMED_TOPICS = ("queue:", "job:")


class Feed:
    """Reads the stream and the truth; subscribers come and go."""

    def __init__(self, redis: Redis, reader: Reader, settings: Settings) -> None:
        self._redis = redis
        self._reader = reader
        self._keep_events = settings.keep_events
        self._subscribers: set[Subscriber] = set()
        self._somebody = asyncio.Event()
        self._position = START
        self._told: dict[str, str] = {}
        self._running: set[str] = set()  # jobs somebody looks at that run: what they tell moves without an event
        self._watched_until = 0.0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Read the stream while the body runs."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def attached(self, subscriber: Subscriber) -> AsyncIterator[None]:
        """Hand ticks to `subscriber` while the body runs."""
        if not self._subscribers:
            self._position = await self.last_cursor()
            self._told.clear()
        self._subscribers.add(subscriber)
        self._somebody.set()
        try:
            yield
        finally:
            self._subscribers.discard(subscriber)
            if not self._subscribers:
                self._somebody.clear()

    async def last_cursor(self) -> str:
        """The place of the newest event."""
        newest = await self._redis.xrevrange(KEYS["events"], count=1)
        return newest[0][0].decode() if newest else START

    async def can_resume(self, cursor: str) -> bool:
        """Whether the stream still has everything after `cursor`."""
        wanted = place(cursor)
        if wanted > place(await self.last_cursor()):
            return False  # of another server, or of a stream that is gone
        oldest = await self._redis.xrange(KEYS["events"], count=1)
        if not oldest or wanted >= place(oldest[0][0].decode()):
            return True
        return bool(await self._redis.xlen(KEYS["events"]) < self._keep_events)

    async def events_after(self, cursor: str, count: int = PAGE, *, with_frames: bool = True) -> list[Event]:
        """The events behind `cursor`, oldest first."""
        entries = await self._redis.xrange(KEYS["events"], min=f"({cursor}", count=count)
        return [_event(entry_id.decode(), fields, with_frames) for entry_id, fields in entries]

    async def snapshot(self, topics: Iterable[str]) -> tuple[str, list[tuple[str, Any]]]:
        """The truth of `topics` now, and the cursor it stands at."""
        overview = await self._reader.overview()
        return overview.cursor, [(topic, await self._read(topic, overview)) for topic in topics]

    async def failed_changes(self, touched: list[str]) -> dict[str, Any]:
        """What became of the jobs `touched` in the failed list: `{"added": [job], "removed": [id]}`."""
        added = await self._reader.failed_by_id(touched)
        there = {job["id"] for job in added}
        return {"added": added, "removed": [job_id for job_id in touched if job_id not in there]}

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._somebody.wait()
            begun = loop.time()
            try:
                await self._await_events()
                tick = await self._make_tick()
            except RedisError as error:
                logger.warning("the feed waits for the server: %s", error)
                await asyncio.sleep(1)
                continue
            if tick.events or tick.changes:
                for subscriber in list(self._subscribers):
                    subscriber.offer(tick)
            await asyncio.sleep(max(0.0, begun + TICK_S - loop.time()))

    async def _await_events(self) -> None:
        """Return when there are events, or when it is time to look."""
        await self._redis.xread({KEYS["events"]: self._position}, count=1, block=LOOK_MS)

    async def _make_tick(self) -> Tick:
        since = self._position
        has_frames = any("events" in subscriber.topics for subscriber in self._subscribers)
        events = await self.events_after(since, MOST_EVENTS_A_TICK, with_frames=has_frames)
        cursor = events[-1].cursor if events else since
        wanted = {topic for subscriber in self._subscribers for topic in subscriber.topics}
        changes: dict[str, str] = {}
        await self._say_watched(wanted)
        overview = await self._reader.overview()
        moved = {event.job for event in events}
        for topic in wanted - {"failed", "events"}:
            if topic.startswith("job:") and topic.removeprefix("job:") not in moved | self._running:
                continue
            data = await self._read(topic, overview)
            # The cursor inside the figures moves with every event: it alone is no change.
            told = json.dumps({**data, "cursor": None} if topic == "counts" else data)
            if self._told.get(topic) != told:
                self._told[topic] = told
                changes[topic] = open_frame("change", topic, data)
        self._told = {topic: told for topic, told in self._told.items() if topic in wanted}
        touched = list(dict.fromkeys(event.job for event in events if event.touches_failed))
        if touched and "failed" in wanted:
            changes["failed"] = open_frame("change", "failed", await self.failed_changes(touched))
        self._position = cursor
        return Tick(cursor, events, changes, since, has_frames)

    async def _say_watched(self, topics: set[str]) -> None:
        """Tell workers that somebody looks at progress; they write none else."""
        self._running = {name for name in self._running if f"job:{name}" in topics}
        now = asyncio.get_running_loop().time()
        if now > self._watched_until - WATCHED_S / 2 and (
            "active" in topics or any(t.startswith("job:") for t in topics)
        ):
            await say_watched(self._redis)
            self._watched_until = now + WATCHED_S

    async def _read(self, topic: str, overview: Overview) -> Any:
        kind, _, name = topic.partition(":")
        if kind == "counts":
            stats = overview.stats()
            return stats | {"standing": standing(stats)}
        if kind == "active":
            return [job.to_json() for job in overview.active]
        if kind == "failed":
            return (await self._reader.failed(limit=FAILED_ROWS))[0]
        if kind == "workers":
            return await self._reader.workers()
        if kind == "logs":
            return {"newest": await newest_line(self._redis)}
        if kind == "operations":
            return [operation.to_json() for operation in await read_operations(self._redis)]
        if kind == "queue":
            figures = (queue.to_json() for queue in overview.queues)
            return next((queue for queue in figures if queue["queue"] == name), None)
        if kind == "job":
            self._running.discard(name)
            try:
                job = await self._reader.job_json(name)
            except JobNotFound:
                return None
            if job["state"] == "processing":
                self._running.add(name)
            return job
        return []  # the events up to here are the past: a snapshot of them is empty


async def say_watched(redis: Redis) -> None:
    """Somebody looks at progress, for the next seconds."""
    await redis.set(KEYS["watched"], "1", ex=WATCHED_S)


def _event(cursor: str, fields: dict[bytes, bytes], with_frame: bool) -> Event:
    touches_failed = fields[b"state"] in (b"failed", b"deleted") or fields.get(b"reason") == b"retried"
    if not with_frame:
        return Event(cursor, fields[b"job"].decode("utf-8", "replace"), "", touches_failed)
    told: dict[str, Any] = {name.decode(): value.decode("utf-8", "replace") for name, value in fields.items()}
    shown = {
        "type": "event",
        **told,
        "queue": queue_name(told["queue"]),
        "attempt": int(told["attempt"]),
        "at": iso(place(cursor)[0]),
        "cursor": cursor,
    }
    return Event(cursor, told["job"], json.dumps(shown), touches_failed)
