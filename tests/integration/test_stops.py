"""How a worker stops: in a bounded time, whatever its jobs do, and never without a word."""

import asyncio
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from arq import func
from arq.connections import ArqRedis

from arqlight.connections.connection import Connection
from arqlight.journal.reader import Reader
from arqlight.settings import Settings
from tests.support.job_states import reaches
from tests.support.on_any_driver import Work, enqueue, shown
from tests.support.waiting import eventually

APP = "tests.support.apps.hostile.WorkerSettings"


async def test_a_worker_that_one_of_its_tasks_cancels_says_so_and_is_replaced(
    spawn: Callable[..., subprocess.Popen[str]], pool: ArqRedis, reader: Reader, settings: Settings
) -> None:
    supervisor = spawn("worker", APP, "--processes", "2", APP_REDIS=str(settings.redis_url))

    async def two_work() -> bool:
        return len(await reader.workers()) == 2

    await eventually(two_work, within_s=20)
    await pool.enqueue_job("cancels_all", _job_id="all")
    ended = await reaches(reader, "all", "failed", within_s=30)
    assert ended["attempts"] == 2, ended
    await eventually(two_work, within_s=20)
    supervisor.terminate()
    output, _ = await asyncio.to_thread(supervisor.communicate, timeout=20)
    assert supervisor.returncode == 0, output
    assert "something cancelled the worker itself" in output
    assert "ended with exit code 1" in output


async def swallows(ctx: dict[str, Any], may_end: asyncio.Event) -> None:
    while not may_end.is_set():
        try:
            await may_end.wait()
        except asyncio.CancelledError:
            continue


async def test_a_job_that_swallows_its_cancellation_does_not_keep_its_worker_from_stopping(
    connection: Connection, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.attempts.CANCEL_AGAIN_S", 0.1)
    began, may_end = asyncio.Event(), asyncio.Event()

    async def stubborn(ctx: dict[str, Any]) -> None:
        began.set()
        await swallows(ctx, may_end)

    worker = await work(func(stubborn, name="stubborn"))
    job_id = await enqueue(connection, "stubborn")
    await began.wait()
    try:
        async with asyncio.timeout(20):
            await worker.close()
    finally:
        may_end.set()
    job = await shown(connection, job_id, "queued")
    assert (job["attempts"], [failure["error"] for failure in job["failures"]]) == (0, ["WorkerStopped"]), job


async def test_a_job_that_swallows_its_first_cancellation_is_cancelled_again_at_a_stop(
    connection: Connection, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.attempts.CANCEL_AGAIN_S", 0.1)
    began, cancelled = asyncio.Event(), 0

    async def stubborn(ctx: dict[str, Any]) -> None:
        nonlocal cancelled
        began.set()
        while cancelled < 2:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled += 1
        raise asyncio.CancelledError

    worker = await work(func(stubborn, name="stubborn"))
    job_id = await enqueue(connection, "stubborn")
    await began.wait()
    await worker.close()
    assert cancelled == 2
    assert (await shown(connection, job_id, "queued"))["attempts"] == 0


async def test_a_task_that_shuts_the_threads_of_its_event_loop_down_does_not_break_the_stop(
    spawn: Callable[..., subprocess.Popen[str]], pool: ArqRedis, reader: Reader, settings: Settings
) -> None:
    worker = spawn("worker", APP, APP_REDIS=str(settings.redis_url))
    await eventually(reader.workers, within_s=20)
    await pool.enqueue_job("shuts_threads_down", _job_id="threads")
    await reaches(reader, "threads", "succeeded")
    worker.terminate()
    output, _ = await asyncio.to_thread(worker.communicate, timeout=20)
    assert worker.returncode == 0, output
    assert not await reader.workers()
