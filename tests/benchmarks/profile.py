"""Where a job's microseconds go: in the worker by part of it, and in the server.

The worker is sampled each millisecond of its CPU time; a sample belongs to the part whose Python code is at work, with
the C code that it called.
"""

import asyncio
import collections
import signal
import time
from types import FrameType
from typing import Any

from arq.connections import RedisSettings, create_pool

from arqlight.jobs.queues import queue_key
from arqlight.journal.journal import Journal, NewJob
from arqlight.settings import load_settings
from arqlight.worker.worker import Worker
from tests.benchmarks.report import Table
from tests.benchmarks.servers import Servers

QUEUES = [queue_key(name) for name in ("high", "default", "emails")]
PARTS = {
    "asyncio": ("/asyncio/", "selectors.py"),
    "redis-py and hiredis": ("/redis/", "arqlight/journal/dedicated_connection.py"),
    "arq: pickling arguments and results": ("/arq/jobs.py",),
    "arq: the rest": ("/arq/",),
    "arqlight: claims, commits, scripts": ("arqlight/journal/", "arqlight/worker/ack_buffer.py"),
    "arqlight: the attempt": ("arqlight/worker/attempt.py", "arqlight/worker/worker.py"),
}


async def noop(ctx: dict[str, Any]) -> None:
    """Nothing."""


def measure(servers: Servers, quick: bool) -> Table:
    """Microseconds a job."""
    return asyncio.run(_measure(servers, 20_000 if quick else 100_000))


async def _measure(servers: Servers, jobs: int) -> Table:
    settings = load_settings(redis_url=servers.redis_url)
    pool = await create_pool(RedisSettings.from_dsn(servers.redis_url))
    journal = Journal(pool, settings)
    for first in range(0, jobs, 1_000):
        await journal.enqueue([NewJob("noop", QUEUES[number % 3]) for number in range(first, first + 1_000)])
    worker = Worker(
        [noop], redis_settings=RedisSettings.from_dsn(servers.redis_url), settings=settings, queues=QUEUES, burst=True,
        max_jobs=100, handle_signals=False, allow_abort_jobs=True,
    )  # fmt: skip
    samples: collections.Counter[str] = collections.Counter()

    def sample(_: int, frame: FrameType | None) -> None:
        samples[_part(frame.f_code.co_filename if frame else "")] += 1

    before, commands_before = await pool.info("cpu"), await pool.info("commandstats")
    signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
    cpu, began = time.process_time(), time.perf_counter()
    await worker.async_run()
    wall_us = (time.perf_counter() - began) * 1e6 / jobs
    worker_us = (time.process_time() - cpu) * 1e6 / jobs
    signal.setitimer(signal.ITIMER_PROF, 0)
    after, commands_after = await pool.info("cpu"), await pool.info("commandstats")
    await worker.close()
    await pool.aclose()

    server_us = sum(after[f"used_cpu_{kind}"] - before[f"used_cpu_{kind}"] for kind in ("user", "sys")) * 1e6 / jobs
    inside = {
        name.removeprefix("cmdstat_"): (stats["usec"] - commands_before.get(name, {"usec": 0})["usec"]) / jobs
        for name, stats in commands_after.items()
    }
    scripts_us = inside.pop("evalsha", 0.0)
    commands_us = sum(inside.values())
    table = Table(
        "Where a job's microseconds go", ["where", "µs a job"], "max_jobs 100, no-op jobs, a drain in one process."
    )
    for part, number in samples.most_common():
        table.add(f"worker: {part}", worker_us * number / samples.total())
    table.add("worker, together", worker_us)
    table.add("server: commands inside the scripts", commands_us)
    table.add("server: Lua, and passing values to and from it", max(scripts_us - commands_us, 0.0))
    table.add("server: reading, writing, the rest", max(server_us - scripts_us, 0.0))
    table.add("server, together", server_us)
    table.add("from job to job, both at work at once", wall_us)
    table.add("limit that the server alone sets, jobs/s", 1e6 / server_us)
    return table


def _part(filename: str) -> str:
    return next((part for part, marks in PARTS.items() if any(mark in filename for mark in marks)), "the rest")
