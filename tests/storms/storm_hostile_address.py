"""One hostile address at full speed, of everything at once: others' probes and feed hardly notice."""

import asyncio
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse
from arq.connections import ArqRedis

from arqlight.journal.journal import Journal, NewJob
from tests.storms.conftest import Say
from tests.storms.size import scaled

Spawn = Callable[..., subprocess.Popen[str]]
SECONDS, QUIET_S = max(15, scaled(60)), max(10, scaled(30))
JOBS, BYTES = scaled(5_000), 14_000
HOSTILE = "127.0.0.66"
EVERY_S = 0.02
DESCRIPTORS = 1_024
MOST_LOG_BYTES = 100_000
# What a busy machine adds by itself, whatever the service does.
NOISE_MS = 5.0


class Others:
    """Somebody at another address: probes, and a feed on which new jobs are seen."""

    def __init__(self, url: str, journal: Journal) -> None:
        self._url = url
        self._journal = journal

    async def measure(self, seconds: float) -> dict[str, list[float]]:
        """How many milliseconds each probe took, and each job from being enqueued to its event."""
        times: dict[str, list[float]] = {"/healthz": [], "feed": []}
        async with ClientSession() as session, session.ws_connect(f"{self._url}/api/v1/feed") as socket:
            await socket.send_json({"subscribe": ["events"]})
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                began = time.perf_counter()
                async with session.get(f"{self._url}/healthz") as answer:
                    assert answer.status == 200
                times["/healthz"].append((time.perf_counter() - began) * 1000)
                if len(times["/healthz"]) % 4 == 0:
                    began = time.perf_counter()
                    await self._see_a_job(socket)
                    times["feed"].append((time.perf_counter() - began) * 1000)
                await asyncio.sleep(EVERY_S)
        return times

    async def _see_a_job(self, socket: ClientWebSocketResponse) -> None:
        [job] = await self._journal.enqueue([NewJob("seen", "arq:queue:seen")])
        while json.loads((await socket.receive(timeout=20)).data).get("job") != job:
            continue


def p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]


@pytest.mark.timeout(400)
async def test_one_hostile_address_does_not_keep_others_waiting(
    pool: ArqRedis, journal: Journal, spawn: Spawn, say: Say
) -> None:
    large = [NewJob("work", "arq:queue", (["x" * 20] * (BYTES // 24),)) for _ in range(JOBS)]
    for first in range(0, JOBS, 100):
        await journal.enqueue(large[first : first + 100])
    service = spawn("server", "--port", "0", ARQLIGHT_LOG_LEVEL="WARNING")
    resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    assert service.stdout
    url = (await asyncio.to_thread(service.stdout.readline)).split()[-1]
    reading = asyncio.create_task(asyncio.to_thread(service.stdout.read))
    others, command = Others(url, journal), [sys.executable, "-m", "tests.storms.hostile_address", url, HOSTILE]
    try:
        await others.measure(2)
        quiet = await others.measure(QUIET_S)
        hostile = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        try:
            loud = await others.measure(SECONDS)
        finally:
            got, _ = await hostile.communicate()
    finally:
        service.terminate()
        log = await reading
    for name, times in loud.items():
        say(
            f"hostile address, {name}",
            f"p99 {p99(quiet[name]):.1f} ms quiet, {p99(times):.1f} ms under attack (medians "
            f"{statistics.median(quiet[name]):.1f}, {statistics.median(times):.1f}; {len(times)} times)",
        )
    say("hostile address, answers", f"{got.decode().strip()}; {len(log):,} bytes of log")
    assert len(log) < MOST_LOG_BYTES, log[:5_000]
    for name, times in loud.items():
        assert p99(times) <= 2 * max(p99(quiet[name]), NOISE_MS), name
