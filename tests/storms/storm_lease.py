"""Leases in real time: a worker that is killed, one that sleeps, one whose event loop is blocked for a minute."""

import asyncio
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from arq.connections import ArqRedis

from arqlight.journal.reader import Reader
from tests.storms.conftest import Say
from tests.support.waiting import eventually

Spawn = Callable[..., subprocess.Popen[str]]
APPLICATION = "tests.storms.leases.WorkerSettings"


async def _events(pool: ArqRedis, job_id: str) -> list[str]:
    found = await pool.xrange("arqlight:events")
    return [fields[b"state"].decode() for _, fields in found if fields[b"job"].decode() == job_id]


async def test_jobs_of_a_killed_worker_run_elsewhere_within_fifteen_seconds(
    pool: ArqRedis, spawn: Spawn, reader: Reader, say: Say
) -> None:
    first = spawn("worker", APPLICATION)
    await eventually(reader.workers)
    for number in range(5):
        await pool.enqueue_job("wait", 30, _job_id=f"job-{number}")
    await eventually(lambda: _runs(pool, 5))
    spawn("worker", APPLICATION)
    await eventually(lambda: _number_of(reader, 2))
    first.kill()
    killed_at = time.monotonic()

    async def are_back() -> bool:
        told = [await _events(pool, f"job-{number}") for number in range(5)]
        return all(each == ["processing", "queued", "processing"] for each in told)

    await eventually(are_back, within_s=25)
    took_s = time.monotonic() - killed_at
    say("worker killed", f"its jobs ran elsewhere {took_s:.1f} s later (15 s at most; arq: up to 310 s)")
    assert took_s < 15


async def _runs(pool: ArqRedis, number: int) -> bool:
    return bool(await pool.zcard("arqlight:processing:arq:queue") == number)


async def _number_of(reader: Reader, number: int) -> bool:
    return len(await reader.workers()) == number


async def test_a_paused_worker_that_wakes_does_not_finish_what_was_given_away(
    pool: ArqRedis, spawn: Spawn, reader: Reader, say: Say
) -> None:
    sleeper = spawn("worker", APPLICATION)
    await eventually(reader.workers)
    await pool.enqueue_job("wait", 3, _job_id="once")
    await eventually(lambda: pool.zcard("arqlight:processing:arq:queue"))
    os.kill(sleeper.pid, signal.SIGSTOP)
    spawn("worker", APPLICATION)

    async def is_done() -> bool:
        return (await _events(pool, "once"))[-1] == "succeeded"

    await eventually(is_done, within_s=30)
    before = await _events(pool, "once")
    os.kill(sleeper.pid, signal.SIGCONT)
    await pool.enqueue_job("wait", 0.1, _job_id="after")
    # The sleeper wakes with its job half done, ends it, and tries to write that down; then it takes part again.
    await eventually(lambda: _number_of(reader, 2), within_s=20)
    await asyncio.sleep(5)  # longer than what was left of its job
    assert await _events(pool, "once") == before, "nothing was written a second time"
    assert Counter(before)["succeeded"] == 1
    assert before == ["processing", "queued", "processing", "succeeded"]  # a plain client enqueued it
    say("SIGSTOP", "a worker asleep longer than its lease woke and ended its job: fenced off, ended once")


async def test_an_event_loop_blocked_for_a_minute_keeps_its_jobs(
    pool: ArqRedis, spawn: Spawn, reader: Reader, say: Say, tmp_path: Path
) -> None:
    spawn("worker", APPLICATION)
    await eventually(reader.workers)
    await pool.enqueue_job("block", 60, _job_id="blocks")
    await eventually(lambda: pool.zcard("arqlight:processing:arq:queue"))
    spawn("worker", APPLICATION)

    async def is_done() -> bool:
        return (await _events(pool, "blocks"))[-1] == "succeeded"

    await eventually(is_done, within_s=90)
    assert await _events(pool, "blocks") == ["processing", "succeeded"], "nobody took it away"
    say("event loop blocked", "for 60 s, with another worker beside it: kept its job")
