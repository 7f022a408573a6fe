"""A day's work at speed: 24 hours of mixed jobs, and the memory of worker, service and server after each."""

import asyncio
import os
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from arq.connections import ArqRedis

from arqlight.client import Client
from arqlight.jobs.queues import DEFAULT_QUEUE
from arqlight.journal.journal import NewJob
from arqlight.settings import Settings, load_settings
from tests.storms.conftest import Say
from tests.storms.storm_server import _usage
from tests.support.waiting import eventually

Spawn = Callable[..., subprocess.Popen[str]]
HOURS, AN_HOUR = 24, 6_000
BOUNDS = {
    "ARQLIGHT_KEEP_SUCCEEDED": "2000", "ARQLIGHT_KEEP_FAILED": "500", "ARQLIGHT_KEEP_EVENTS": "5000",
    "ARQLIGHT_KEEP_LOGS": "2000", "ARQLIGHT_LOG_LEVEL": "ERROR",
}  # fmt: skip


async def test_a_days_work_leaves_memory_where_it_was(
    pool: ArqRedis, settings: Settings, spawn: Spawn, notes: Path, say: Say
) -> None:
    worker = spawn("worker", "tests.storms.day.WorkerSettings", **BOUNDS)
    service = spawn("server", "--port", "0", **BOUNDS)
    for process in (worker, service):
        assert process.stdout
    address = (await asyncio.to_thread(service.stdout.readline)).split()[-1]  # type: ignore[union-attr]
    reading = asyncio.create_task(asyncio.to_thread(worker.stdout.read))  # type: ignore[union-attr]
    sizes: dict[str, list[int]] = {"worker": [], "service": [], "server": []}
    async with ClientSession() as session, Client(load_settings(redis_url=settings.redis_url)) as client:
        socket = await session.ws_connect(f"{address}/api/v1/feed", max_msg_size=0)
        await socket.send_json({"subscribe": ["counts", "active", "failed", "events", "workers", "logs"]})
        swallowing = asyncio.create_task(_swallow(socket))
        for hour in range(HOURS):
            kinds = ["ok"] * 90 + ["talks"] * 4 + ["again"] * 3 + ["fails"] * 3
            jobs = [NewJob(kinds[n % 100], DEFAULT_QUEUE, ("x" * 200, hour), {"n": n}) for n in range(AN_HOUR)]
            await client.enqueue_many(jobs)
            await eventually(lambda: _is_empty(pool), within_s=60)
            for page in ("/", "/jobs", "/failed", "/queues", "/workers", "/logs", "/charts", "/metrics"):
                async with session.get(address + page) as answer:
                    assert answer.status == 200
                    await answer.read()
            sizes["worker"].append(_usage(worker.pid)[1])
            sizes["service"].append(_usage(service.pid)[1])
            sizes["server"].append(int((await pool.info("memory"))["used_memory"]))
        swallowing.cancel()
        await asyncio.gather(swallowing, return_exceptions=True)
        await socket.close()
    worker.terminate()
    await reading
    third = HOURS // 3
    growth = {
        name: statistics.median(each[-third:]) / statistics.median(each[third : 2 * third]) - 1
        for name, each in sizes.items()
    }
    told = ", ".join(f"{name} {sizes[name][-1] / 1e6:.0f} MB ({growth[name]:+.1%})" for name in sizes)
    say("a day's work", f"{HOURS * AN_HOUR:,} jobs; the last third of the day against the second: {told}")
    assert await pool.zcard("arqlight:succeeded") <= 2_100
    assert await pool.zcard("arqlight:failed") <= 500
    assert await pool.xlen("arqlight:events") < 5_000 + 2_000
    assert max(growth.values()) < 0.05, sizes
    assert os.path.exists(f"/proc/{service.pid}")


async def _swallow(socket: Any) -> None:
    async for _ in socket:
        pass


async def _is_empty(pool: ArqRedis) -> bool:
    await asyncio.sleep(0.1)
    return not await pool.zcard(DEFAULT_QUEUE)
