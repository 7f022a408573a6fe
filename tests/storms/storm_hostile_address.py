"""One hostile address at full speed; what others wait for `/healthz` and for the feed beside it, and without it."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from aiohttp import ClientSession, ClientTimeout, TCPConnector
from arq.connections import ArqRedis

from arqlight.jobs.queues import DEFAULT_QUEUE
from arqlight.journal.journal import Journal, NewJob
from arqlight.settings import Settings
from tests.conftest import ROOT
from tests.storms.conftest import Say
from tests.storms.size import scaled
from tests.support.waiting import eventually

Spawn = Callable[..., subprocess.Popen[str]]
SECONDS = scaled(60)
STORED = 5_000  # jobs that a search looks through
AT_MOST = 2.0
# Below this a wait is the machine's: two cores have the service, Valkey, the hostile client and who measures.
NOISE_MS = 10.0


@pytest.mark.timeout(400)
async def test_one_hostile_address_does_not_slow_the_others(
    pool: ArqRedis, journal: Journal, settings: Settings, spawn: Spawn, say: Say
) -> None:
    await journal.enqueue(
        [NewJob("stored", DEFAULT_QUEUE, (number, "x" * 1_000), delay_ms=3_600_000) for number in range(STORED)]
    )
    server = spawn("server", "--port", "0", ARQLIGHT_LOG_LEVEL="WARNING")
    assert server.stdout
    port = int((await asyncio.to_thread(server.stdout.readline)).rpartition(":")[2].rstrip("/ \n"))
    reading = asyncio.create_task(asyncio.to_thread(server.stdout.read))

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    await eventually(listens, within_s=30)
    await _waits_ms(port, journal, 3)  # warm
    quiet = await _waits_ms(port, journal, SECONDS / 2)
    hostile = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.storms.hostile_client", str(port), str(SECONDS), cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    await asyncio.sleep(1)  # it imports
    beside = await _waits_ms(port, journal, SECONDS - 2)
    told, _ = await hostile.communicate()
    server.terminate()
    await reading
    say("hostile address", f"sent {json.loads(told)} in {SECONDS} s")
    for what, before, during in zip(("/healthz", "the feed"), quiet, beside, strict=True):
        say(what, f"p50 {_at(before, 0.5):.1f} ms, p99 {_at(before, 0.99):.1f} ms quiet; "
            f"p50 {_at(during, 0.5):.1f} ms, p99 {_at(during, 0.99):.1f} ms beside it (of {len(during)})")  # fmt: skip
    for before, during in zip(quiet, beside, strict=True):
        assert _at(during, 0.99) <= AT_MOST * max(_at(before, 0.99), NOISE_MS)


async def _waits_ms(port: int, journal: Journal, seconds: float) -> tuple[list[float], list[float]]:
    """How long each `/healthz` on a connection of its own took, and each event from its enqueueing to its arrival."""
    until = time.monotonic() + seconds
    health: list[float] = []
    feed: list[float] = []
    connector = TCPConnector(force_close=True)
    async with ClientSession(f"http://127.0.0.1:{port}", connector=connector, timeout=ClientTimeout(10)) as session:

        async def ask() -> None:
            while time.monotonic() < until:
                began = time.monotonic()
                async with session.get("/healthz") as answer:
                    assert answer.status == 200
                health.append((time.monotonic() - began) * 1000)
                await asyncio.sleep(0.02)

        async def follow() -> None:
            async with session.ws_connect("/api/v1/feed") as socket:
                await socket.send_json({"subscribe": ["counts", "events"]})
                await socket.receive(timeout=10)  # the snapshot: events from here on arrive
                while time.monotonic() < until:
                    began = time.monotonic()
                    [job_id] = await journal.enqueue([NewJob("followed", DEFAULT_QUEUE, delay_ms=3_600_000)])
                    while job_id not in (await socket.receive(timeout=10)).data:
                        pass
                    feed.append((time.monotonic() - began) * 1000)
                    await asyncio.sleep(0.02)

        await asyncio.gather(ask(), follow())
    return health, feed


def _at(values: list[float], part: float) -> float:
    return sorted(values)[int(part * (len(values) - 1))]
