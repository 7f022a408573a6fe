"""Whether two worker processes run twice as much of what uses the CPU."""

import asyncio
import os
import tempfile
import time

from arqlight.client import Client
from arqlight.jobs.queues import DEFAULT_QUEUE
from arqlight.journal.journal import NewJob
from arqlight.settings import load_settings
from tests.benchmarks.report import Table, median
from tests.benchmarks.servers import Servers
from tests.benchmarks.service_process import arqlight


def measure(servers: Servers, quick: bool) -> Table:
    """Jobs of 2 ms of CPU each."""
    jobs, rounds = (1_500, 1) if quick else (5_000, 2)
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for count in rates:
            rates[count].append(_rate(servers, count, jobs))
    table = Table("Worker processes", ["processes", "jobs/s of 2 ms of CPU each", "aim"])
    table.add(1, rates[1], "")
    times = median([two / one for one, two in zip(rates[1], rates[2], strict=True)])
    table.add(2, rates[2], f"1.6 times one: {times:.3g} times")
    return table


def _rate(servers: Servers, processes: int, jobs: int) -> float:
    async def fill() -> None:
        async with Client(load_settings(redis_url=servers.redis_url)) as client:
            await client.enqueue_many(NewJob("compute", DEFAULT_QUEUE) for _ in range(jobs))

    with tempfile.NamedTemporaryFile() as marks:
        # Few at a time: one process must not take all of what is left at the end.
        environment = {"BENCH_MARKS": marks.name, "BENCH_MAX_JOBS": "10"}
        command = ["worker", "tests.benchmarks.workload.WorkerSettings", "--processes", str(processes)]
        with arqlight(servers, *command, **environment):
            time.sleep(3)  # all are up
            asyncio.run(fill())
            while not (first := os.stat(marks.name).st_size):
                time.sleep(0.001)
            began = time.perf_counter()
            while os.stat(marks.name).st_size < jobs:
                time.sleep(0.005)
            return (jobs - first) / (time.perf_counter() - began)
