"""An arq application runs under `arqlight worker` unchanged, beside plain arq workers, and survives their deaths."""

import asyncio
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from arq import func
from arq.connections import ArqRedis

from arqlight.jobs.filters import JobFilter
from arqlight.journal.journal import Claim, Ending, Journal
from arqlight.journal.reader import Reader
from arqlight.settings import Settings
from tests.conftest import ROOT, StartWorker
from tests.support.waiting import eventually

Spawn = Callable[..., "subprocess.Popen[str]"]
APP = "tests.support.apps.documented.WorkerSettings"


@pytest.fixture
def app_environment(settings: Settings) -> dict[str, str]:
    return {"APP_REDIS": str(settings.redis_url)}


async def _workers(reader: Reader, number: int) -> bool:
    return (await reader.overview()).workers == number


async def _is_quiet(reader: Reader) -> bool:
    stats = (await reader.overview()).stats()
    return (stats["processing"], stats["queued"]) == (0, 0)


async def test_an_application_written_for_arq_runs_with_no_change(
    pool: ArqRedis, spawn: Spawn, reader: Reader, app_environment: dict[str, str]
) -> None:
    worker = spawn("worker", APP, **app_environment)
    greet = await pool.enqueue_job("greet", "Ada")
    flaky, parent = await pool.enqueue_job("flaky"), await pool.enqueue_job("parent")
    explode = await pool.enqueue_job("explode")
    assert greet
    assert flaky
    assert parent
    assert explode
    assert await greet.result(timeout=15, poll_delay=0.05) == "hello Ada, try 1"
    assert await flaky.result(timeout=15, poll_delay=0.05) == 3
    child = await parent.result(timeout=15, poll_delay=0.05)
    await eventually(lambda: pool.exists(f"arq:result:{child}"))
    with pytest.raises(RuntimeError, match="boom"):
        await explode.result(timeout=15, poll_delay=0.05)
    await eventually(lambda: pool.get("app:ticks"))
    [failed], _ = await reader.failed()
    assert (failed["task"], failed["error"]) == ("explode", "RuntimeError")
    assert "tests/support/apps/documented.py" in failed["trace"]
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=15) == 0
    assert await pool.get("app:shut-down") == b"1"
    assert (await reader.overview()).workers == 0


async def test_a_worker_of_an_application_loads_nothing_that_only_others_need(
    pool: ArqRedis, spawn: Spawn, app_environment: dict[str, str]
) -> None:
    others = {"ARQLIGHT_WEBHOOK_TIMEOUT_S": "3", "PYTHONPROFILEIMPORTTIME": "1"}
    job = await pool.enqueue_job("greet", "Ada")
    worker = spawn("worker", APP, **app_environment, **others)
    assert job
    assert worker.stdout
    reading = asyncio.create_task(asyncio.to_thread(worker.stdout.read))
    await job.result(timeout=30, poll_delay=0.05)
    worker.terminate()
    told = await reading
    assert worker.wait(timeout=15) == 0, told
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in told.splitlines() if "import time:" in line}
    assert "arqlight" in loaded
    # redis-py itself loads cryptography, where it is installed.
    assert loaded & {"aiohttp", "jinja2", "pydantic", "sqlalchemy", "alembic", "asyncpg", "prometheus_client"} == set()
    assert "is no setting" not in told


async def test_a_plain_arq_worker_on_the_same_queue_coexists(
    pool: ArqRedis, spawn: Spawn, reader: Reader, app_environment: dict[str, str]
) -> None:
    plain = subprocess.Popen(
        [sys.executable, "-m", "arq", APP], cwd=ROOT, env=os.environ | app_environment, stderr=subprocess.DEVNULL
    )
    try:
        spawn("worker", APP, **app_environment)
        await eventually(lambda: pool.exists("arq:queue:health-check"))
        await eventually(lambda: _workers(reader, 1))
        jobs = [await pool.enqueue_job("slow", 0.02) for _ in range(200)]
        for job in jobs:
            assert job
            await job.result(timeout=30, poll_delay=0.05)
        ran = await pool.lrange("app:ran", 0, -1)  # type: ignore[misc]
        assert len(ran) == len(set(ran)) == 200
        ours = {job.id for job in (await reader.jobs(state="succeeded", where=JobFilter(task="slow"), limit=500))[0]}
        assert 0 < len(ours) < 200, "both workers had their part"
        # The application's own cron job is due each second: between two of them, nothing runs and nothing waits.
        await eventually(lambda: _is_quiet(reader))
    finally:
        plain.terminate()
        plain.wait(timeout=15)


async def test_an_application_moves_to_our_worker_and_back_with_jobs_in_flight_and_none_lost(
    pool: ArqRedis, spawn: Spawn, reader: Reader, app_environment: dict[str, str]
) -> None:
    enqueued: set[str] = set()

    async def enqueue(count: int) -> None:
        for _ in range(count):
            job = await pool.enqueue_job("slow", 0.05)
            assert job
            enqueued.add(job.job_id)

    async def ran_another(than: int) -> bool:
        return int(await pool.llen("app:ran")) > than + 5  # type: ignore[misc]

    async def going_on() -> None:
        """Jobs wait, and some of them have run since: the worker of the moment is at it."""
        so_far = int(await pool.llen("app:ran"))  # type: ignore[misc]
        await enqueue(20)
        await eventually(lambda: ran_another(so_far), within_s=30)

    def plain() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "arq", APP], cwd=ROOT, env=os.environ | app_environment, stderr=subprocess.DEVNULL
        )

    before = plain()
    await going_on()
    ours = spawn("worker", APP, **app_environment)
    await eventually(lambda: _workers(reader, 1))
    await going_on()
    before.terminate()
    before.wait(timeout=20)
    await going_on()
    ours.terminate()
    ours.wait(timeout=20)
    after = plain()
    await going_on()
    try:

        async def all_ran() -> bool:
            return {job.decode() for job in await pool.lrange("app:ran", 0, -1)} == enqueued  # type: ignore[misc]

        await eventually(all_ran, within_s=45)
        await eventually(lambda: _is_quiet(reader), within_s=20)
        assert await pool.zcard("arqlight:failed") == 0
    finally:
        after.terminate()
        after.wait(timeout=20)


async def test_a_job_that_a_plain_arq_worker_runs_is_shown_as_processing_and_then_as_ended(
    pool: ArqRedis, reader: Reader, app_environment: dict[str, str], journal: Journal
) -> None:
    await journal.announce_queues(["arq:queue"])
    job = await pool.enqueue_job("slow", 1)
    assert job
    plain = subprocess.Popen(
        [sys.executable, "-m", "arq", APP], cwd=ROOT, env=os.environ | app_environment, stderr=subprocess.DEVNULL
    )
    try:
        await eventually(lambda: pool.exists(f"arq:in-progress:{job.job_id}"))
        overview = await reader.overview()
        assert overview.stats()["processing"] == 1
        [shown] = [shown for shown in overview.active if shown.id == job.job_id]
        assert (shown.state, shown.task) == ("processing", "slow")
        await job.result(timeout=15, poll_delay=0.05)
        assert (await reader.job_json(job.job_id))["state"] == "succeeded"
    finally:
        plain.terminate()
        plain.wait(timeout=15)


async def test_kill_9_of_the_worker_loses_no_job(
    pool: ArqRedis, spawn: Spawn, reader: Reader, app_environment: dict[str, str]
) -> None:
    first = spawn("worker", APP, **app_environment)
    await eventually(lambda: _workers(reader, 1))
    jobs = [await pool.enqueue_job("slow", 0.05) for _ in range(200)]
    # A few are running, some are done: now.
    await eventually(lambda: _at_least(pool, "arqlight:succeeded", 20))
    first.kill()
    first.wait()
    held = await pool.keys("arqlight:claimed:*")
    assert held, "it died with jobs in hand"
    spawn("worker", APP, **app_environment)
    ids = [job.job_id for job in jobs if job]
    ended = await eventually(lambda: _all_ended(reader, ids), within_s=45)
    assert len(ended) == 200
    assert set(ended) <= {"succeeded", "failed"}
    assert await pool.zcard("arq:queue") <= 1  # the next cron job may wait
    lost = [job for job in ids if (await reader.job_json(job))["failures"]]
    assert lost, "the attempts that were cut off are written down"
    failure = (await reader.job_json(lost[0]))["failures"][0]
    assert (failure["error"], failure["attempt"]) == ("WorkerLost", 1)


async def _claim(journal: Journal, worker: str) -> list[Claim]:
    return (await journal.claim(worker, ["arq:queue"], 1, 60_000, False))[0]


async def _at_least(pool: ArqRedis, key: str, number: int) -> bool:
    return bool(await pool.zcard(key) >= number)


async def _all_ended(reader: Reader, ids: list[str]) -> list[str] | None:
    states = [(await reader.job_json(job_id))["state"] for job_id in ids]
    return states if set(states) <= {"succeeded", "failed"} else None


async def test_a_job_that_kills_every_worker_becomes_failed_and_kills_no_more(
    pool: ArqRedis, reader: Reader, journal: Journal, start_worker: StartWorker
) -> None:
    await pool.enqueue_job("slow", _job_id="killer")
    for attempt in (1, 2):
        [claim] = await eventually(functools.partial(_claim, journal, f"victim-{attempt}"))
        assert claim.attempt == attempt
        await pool.zadd("arqlight:workers", {f"victim-{attempt}": 1})  # its lease ran out long ago
        assert await journal.rescue(asks_for_ms=0) == 1

    async def slow(ctx: dict[str, Any]) -> None:
        raise AssertionError("it must not run again")

    await start_worker([func(slow, name="slow", max_tries=2)])
    await eventually(lambda: pool.zcard("arqlight:failed"))
    [failed], _ = await reader.failed()
    assert (failed["error"], failed["attempts"]) == ("WorkerLost", 2)


async def test_a_worker_that_lost_its_lease_cannot_end_a_job_twice(
    pool: ArqRedis, reader: Reader, journal: Journal
) -> None:
    await pool.enqueue_job("greet", _job_id="once")
    [old] = await eventually(lambda: _claim(journal, "sleeper"))
    await pool.zadd("arqlight:workers", {"sleeper": 1})
    await journal.rescue(asks_for_ms=0)
    [new] = await eventually(lambda: _claim(journal, "sleeper"))
    assert new.token != old.token
    await journal.commit("sleeper", [Ending(old, "greet", 1, "succeeded")])
    assert (await reader.job_json("once"))["state"] == "processing"
    assert await pool.smembers("arqlight:claimed:sleeper") == {b"once"}  # type: ignore[misc]
    await journal.commit("sleeper", [Ending(new, "greet", 2, "succeeded")])
    assert (await reader.job_json("once"))["state"] == "succeeded"
