"""How long a failure takes to reach every subscriber of one service process."""

import asyncio
import json
import subprocess
import sys
import time

from arqlight.client import Client
from arqlight.jobs.queues import DEFAULT_QUEUE
from arqlight.journal.journal import NewJob
from arqlight.settings import load_settings
from tests.benchmarks.peer import ROOT
from tests.benchmarks.report import Table, percentile
from tests.benchmarks.servers import Servers
from tests.benchmarks.service_process import arqlight, resident_mb, service

JOBS_A_SECOND = 2_000
FAILING = 100  # one of so many
STALLED = 5


def measure(servers: Servers, quick: bool) -> Table:
    """From the transition to the client, with jobs flowing."""
    seconds = 6.0 if quick else 20.0
    about = (
        f"{JOBS_A_SECOND:,} jobs/s flow through one worker, one in {FAILING} fails. Measured is each failure at each "
        "subscriber of counts, active and failed, from the server's clock at the transition to the frame's arrival. "
        f"Besides, {STALLED} subscribers stop reading. All of it, the subscribers too, on this machine's cores."
    )
    columns = ["subscribers", "p50, ms", "p99, ms", "failures", "missed", "cut off", "service grew by, MB", "aim"]
    table = Table("Fan-out", columns, about)
    for count, aim in ((1_000, "p50 60 ms, p99 120 ms"), (5_000, "p99 250 ms")):
        if quick and count > 1_000:
            continue
        report, grown_mb = asyncio.run(_follow(servers, count, seconds))
        late = report["latencies_ms"]
        table.add(count, f"{percentile(late, 0.5):.0f}", f"{percentile(late, 0.99):.0f}", report["failures"],
                  report["missing"], report["lost"], f"{grown_mb:.1f}", aim)  # fmt: skip
    return table


async def _follow(servers: Servers, count: int, seconds: float) -> tuple[dict[str, list[float]], float]:
    settings = load_settings(redis_url=servers.redis_url)
    with service(servers) as (port, pid), arqlight(servers, "worker", "tests.benchmarks.workload.WorkerSettings"):
        command = [sys.executable, "-m", "tests.benchmarks.fanout_subscribers", str(port), str(count + STALLED)]
        subscribers = await asyncio.create_subprocess_exec(
            *command, str(seconds), str(STALLED), cwd=ROOT, stdout=subprocess.PIPE, limit=2**28
        )
        assert subscribers.stdout
        async with Client(settings) as client:
            await subscribers.stdout.readline()
            before_mb = resident_mb(pid)
            await _produce(client, seconds + 3)
        grown_mb = resident_mb(pid) - before_mb
        report = json.loads(await subscribers.stdout.readline())
        await subscribers.wait()
    return report, grown_mb


async def _produce(client: Client, seconds: float) -> None:
    began, sent = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds:
        due = int(passed * JOBS_A_SECOND) - sent
        await client.enqueue_many(
            NewJob("fail" if (sent + number) % FAILING == 0 else "ok", DEFAULT_QUEUE) for number in range(due)
        )
        sent += due
        await asyncio.sleep(0.01)
