"""How fast jobs are put into queues: one by one, many at a time, over HTTP."""

import asyncio
import time

import aiohttp
from arq.connections import RedisSettings, create_pool

from arqlight.client import Client
from arqlight.jobs.queues import DEFAULT_QUEUE
from arqlight.journal.journal import NewJob
from arqlight.settings import load_settings
from tests.benchmarks.report import Table, median
from tests.benchmarks.servers import Servers
from tests.benchmarks.service_process import arqlight, service


def measure(servers: Servers, quick: bool) -> Table:
    """Jobs enqueued a second by one client."""
    ours, arqs, many, posted = asyncio.run(_measure(servers, quick))
    table = Table("Enqueue", ["how", "jobs/s", "aim"])
    ratio = median([mine / theirs for mine, theirs in zip(ours, arqs, strict=True)])
    table.add("arqlight, one by one", ours, f"2 times arq: {ratio:.3g} times")
    table.add("arq, one by one", arqs, "")
    table.add("arqlight, enqueue_many", many, "40,000 jobs/s")
    table.add("POST /api/v1/jobs, 1,000 a request", posted, "")
    return table


async def _measure(servers: Servers, quick: bool) -> tuple[list[float], list[float], list[float], list[float]]:
    singles, rounds = (1_000, 2) if quick else (4_000, 5)
    ours: list[float] = []
    arqs: list[float] = []
    many: list[float] = []
    posted: list[float] = []
    pool = await create_pool(RedisSettings.from_dsn(servers.redis_url))
    with service(servers) as (port, _), arqlight(servers, "worker", "tests.benchmarks.workload.WorkerSettings"):
        while not await pool.hexists("arqlight:tasks", "ok"):  # type: ignore[misc]
            await asyncio.sleep(0.1)
    # The worker announced its tasks and is gone: nobody takes the jobs meanwhile.
    with service(servers) as (port, _):
        async with Client(load_settings(redis_url=servers.redis_url)) as client, aiohttp.ClientSession() as http:
            for _ in range(rounds):
                began = time.perf_counter()
                for number in range(singles):
                    await client.enqueue("ok", number)
                ours.append(singles / (time.perf_counter() - began))
                began = time.perf_counter()
                for number in range(singles):
                    await pool.enqueue_job("ok", number)
                arqs.append(singles / (time.perf_counter() - began))
                began = time.perf_counter()
                await client.enqueue_many(NewJob("ok", DEFAULT_QUEUE, (number,)) for number in range(20 * singles))
                many.append(20 * singles / (time.perf_counter() - began))
                body = {"jobs": [{"task": "ok", "args": []} for _ in range(1_000)]}
                began = time.perf_counter()
                for _ in range(5):
                    async with http.post(f"http://127.0.0.1:{port}/api/v1/jobs", json=body) as answer:
                        answer.raise_for_status()
                posted.append(5_000 / (time.perf_counter() - began))
    await pool.aclose()
    return ours, arqs, many, posted
