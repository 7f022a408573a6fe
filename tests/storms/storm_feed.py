"""A thousand consumers of the feed, cut off at random while jobs run and fail. Every one ends with the truth."""

import asyncio
import json
import random
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, TCPConnector, WSMsgType
from arq.connections import ArqRedis

from arqlight.journal.reader import Reader
from arqlight.settings import Settings
from tests.conftest import StartWorker
from tests.storms.conftest import Say
from tests.storms.size import scaled
from tests.support.waiting import eventually

Spawn = Callable[..., subprocess.Popen[str]]
CONSUMERS, CUTS, JOBS = scaled(1_000), scaled(2_000), scaled(1_500)


async def coin(ctx: dict[str, Any]) -> None:
    if hash(ctx["job_id"]) % 3 == 0:
        raise ValueError("tails")


class Consumer:
    """Keeps figures, failed list and last states as the feed tells them, over any number of connections."""

    def __init__(self, session: ClientSession, url: str, follows_events: bool) -> None:
        self._session = session
        self.topics = ["counts", "failed", *(["events"] if follows_events else [])]
        self._url = url
        self._socket: ClientWebSocketResponse | None = None
        self.cursor: str | None = None
        self.failed: set[str] = set()
        self.counts: dict[str, Any] = {}
        self.states: dict[str, str] = {}
        self.missed = 0

    async def follow(self) -> None:
        while True:
            try:
                async with self._session.ws_connect(self._url, max_msg_size=0) as socket:
                    self._socket = socket
                    await socket.send_json({"subscribe": self.topics, "since": self.cursor})
                    async for message in socket:
                        if message.type is not WSMsgType.TEXT:
                            break
                        self._take(json.loads(message.data))
            except (OSError, ClientError):  # refused or cut off while it connected
                await asyncio.sleep(0.05)

    def cut(self) -> None:
        """Without notice."""
        if self._socket is not None and (transport := self._socket.get_extra_info("socket")) is not None:
            connection = self._socket._response.connection
            if connection is not None and connection.transport is not None:
                connection.transport.abort()
            del transport

    def _take(self, frame: dict[str, Any]) -> None:
        self.cursor = frame["cursor"] or self.cursor
        if frame["type"] == "error":
            self.missed += 1
        elif frame["type"] == "event":
            self.states[frame["job"]] = frame["state"]
        elif frame["topic"] == "counts":
            self.counts = frame["data"]
        elif frame["topic"] == "failed" and frame["type"] == "snapshot":
            self.failed = {job["id"] for job in frame["data"]}
        elif frame["topic"] == "failed":
            self.failed |= {job["id"] for job in frame["data"]["added"]}
            self.failed -= set(frame["data"]["removed"])


@pytest.mark.timeout(300)
async def test_a_thousand_consumers_cut_at_random_end_with_the_truth(
    pool: ArqRedis, settings: Settings, reader: Reader, start_worker: StartWorker, spawn: Spawn, say: Say
) -> None:
    dice = random.Random(8)
    service = spawn("server", "--port", "0", ARQLIGHT_LOG_LEVEL="ERROR", ARQLIGHT_SOCKETS_PER_ADDRESS="5000")
    assert service.stdout
    address = (await asyncio.to_thread(service.stdout.readline)).split()[-1]
    await start_worker([coin], max_tries=1, max_jobs=20)
    async with ClientSession(connector=TCPConnector(limit=0)) as session:
        url = f"{address}/api/v1/feed"
        consumers = [Consumer(session, url, number % 5 == 0) for number in range(CONSUMERS)]
        following = [asyncio.create_task(consumer.follow()) for consumer in consumers]
        await eventually(lambda: all(consumer.counts for consumer in consumers), within_s=60)
        cuts = 0
        for number in range(JOBS):
            await pool.enqueue_job("coin", _job_id=f"coin-{number}")
            while cuts < CUTS * number / JOBS:
                dice.choice(consumers).cut()
                cuts += 1
            await asyncio.sleep(0.004)
        await eventually(lambda: _all_ended(pool), within_s=60)
        truth = {job_id.decode() for job_id in await pool.zrange("arqlight:failed", 0, -1)}
        ended = {f"coin-{number}": "failed" if f"coin-{number}" in truth else "succeeded" for number in range(JOBS)}

        def is_true(consumer: Consumer) -> bool:
            counts = (consumer.counts["failed"], consumer.counts["queued"], consumer.counts["processing"])
            states = ended if "events" in consumer.topics else {}
            return consumer.failed == truth and consumer.states == states and counts == (len(truth), 0, 0)

        try:
            await eventually(lambda: all(map(is_true, consumers)), within_s=90)
        finally:
            for task in following:
                task.cancel()
            ends = await asyncio.gather(*following, return_exceptions=True)
        died = [end for end in ends if not isinstance(end, asyncio.CancelledError)]
        assert not died, died[:3]
        missed = sum(consumer.missed for consumer in consumers)
    say(
        "1,000 feed consumers",
        f"{cuts:,} cuts over {JOBS:,} jobs ({len(truth)} failed): all {CONSUMERS:,} end with figures and failed list, "
        f"a fifth of them with every job's last state too; {missed} were told to begin anew",
    )
    assert missed == 0


async def _all_ended(pool: ArqRedis) -> bool:
    return bool(await pool.zcard("arqlight:failed") + await pool.zcard("arqlight:succeeded") == JOBS)
