"""One job wakes one worker, whoever enqueued it."""

import asyncio
import logging
import time
from functools import partial
from typing import Any

import pytest
from arq import func
from arq.connections import ArqRedis
from redis.exceptions import ResponseError

from arqlight.journal.journal import Journal, NewJob
from arqlight.worker.worker import Worker
from tests.conftest import StartWorker
from tests.support.job_states import none_waits, succeeded
from tests.support.waiting import eventually

QUEUE = "arq:queue"


async def ok(ctx: dict[str, Any]) -> None:
    pass


async def _idle(pool: ArqRedis, workers: list[Worker]) -> None:
    """Every worker is blocked on its bells, and one of them is the stager, who has done with the job before."""

    async def all_wait() -> bool:
        stagers = [worker._heartbeat.stager for worker in workers if worker._heartbeat and worker._heartbeat.stager]
        blocked = [client for client in await pool.client_list() if client["cmd"] == "blpop"]
        return len(blocked) == len(workers) and len(stagers) == 1 and stagers[0].is_waiting

    await eventually(all_wait)


def _count_claims(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """A worker that is woken looks for a job."""
    claims: list[None] = []
    claim = worker._claim

    async def counted() -> None:
        claims.append(None)
        await claim()

    monkeypatch.setattr(worker, "_claim", counted)
    return claims


@pytest.mark.parametrize("client", ["ours", "plain"])
async def test_one_job_wakes_one_of_several_idle_workers(
    pool: ArqRedis, journal: Journal, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    monkeypatch.setattr("arqlight.worker.worker.SAFETY_POLL_S", 600)
    workers = [await start_worker([ok]) for _ in range(5)]
    await _idle(pool, workers)
    claims = [_count_claims(worker, monkeypatch) for worker in workers]
    for number in range(1, 11):
        if client == "ours":
            await journal.enqueue([NewJob("ok", QUEUE)])
        else:
            await pool.enqueue_job("ok")
        await eventually(partial(succeeded, pool, number))
        await _idle(pool, workers)
    woken = sum(len(each) for each in claims)
    # The stager may look just as our own job is taken; it never wakes all of them.
    assert 10 <= woken <= 12


async def test_more_jobs_than_one_worker_has_slots_for_wake_the_others(
    pool: ArqRedis, journal: Journal, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.worker.SAFETY_POLL_S", 600)
    gate = asyncio.Event()

    async def hold(ctx: dict[str, Any]) -> None:
        await gate.wait()

    workers = [await start_worker([func(hold, name="hold")], max_jobs=1) for _ in range(20)]
    await _idle(pool, workers)
    await journal.enqueue([NewJob("hold", QUEUE) for _ in range(20)])
    await eventually(lambda: all(worker.tasks for worker in workers), within_s=5)
    gate.set()


async def test_a_scheduled_job_wakes_a_worker_when_it_is_due(
    pool: ArqRedis, journal: Journal, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.worker.SAFETY_POLL_S", 600)
    workers = [await start_worker([ok]) for _ in range(2)]
    await _idle(pool, workers)
    began = time.monotonic()
    await journal.enqueue([NewJob("ok", QUEUE, delay_ms=300)])
    await eventually(lambda: succeeded(pool, 1), within_s=5)
    assert time.monotonic() - began >= 0.29


async def test_another_worker_takes_the_stagers_post(
    pool: ArqRedis, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.worker.SAFETY_POLL_S", 600)
    monkeypatch.setattr("arqlight.worker.heartbeat.BEAT_S", 0.05)
    first, second = await start_worker([ok]), await start_worker([ok])
    await eventually(lambda: _is_stager(pool, first))
    await first.close()
    await eventually(lambda: _is_stager(pool, second))
    await pool.enqueue_job("ok")
    await eventually(lambda: succeeded(pool, 1), within_s=5)


async def _is_stager(pool: ArqRedis, worker: Worker) -> bool:
    return bool(await pool.get("arqlight:stager") == worker.id.encode())


async def test_a_server_that_refuses_notifications_is_polled_and_the_log_says_so_once(
    pool: ArqRedis, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("arqlight.worker.worker.SAFETY_POLL_S", 600)
    await pool.config_set("notify-keyspace-events", "")

    async def refuse(*_: Any, **__: Any) -> Any:
        raise ResponseError("unknown command 'CONFIG'")

    monkeypatch.setattr(ArqRedis, "config_get", refuse)
    with caplog.at_level(logging.WARNING):
        await start_worker([ok], poll_delay=0.1)
        for number in (1, 2):
            await pool.enqueue_job("ok")
            await eventually(partial(succeeded, pool, number), within_s=5)
    assert len([line for line in caplog.messages if "polled for" in line]) == 1


async def test_a_plain_arq_abort_reaches_the_worker_that_runs_the_job(
    pool: ArqRedis, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.worker.BEAT_S", 600)

    async def sleep(ctx: dict[str, Any]) -> None:
        await asyncio.sleep(60)

    workers = [await start_worker([func(sleep, name="sleep")]) for _ in range(3)]
    await _idle(pool, workers)
    job = await pool.enqueue_job("sleep")
    assert job
    await eventually(lambda: pool.exists(f"arq:in-progress:{job.job_id}"))
    assert await job.abort(timeout=3, poll_delay=0.01)


async def test_a_worker_that_was_full_takes_at_once_what_came_meanwhile(
    pool: ArqRedis, journal: Journal, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.worker.SAFETY_POLL_S", 600)
    may_end = asyncio.Event()

    async def wait(ctx: dict[str, Any]) -> None:
        await may_end.wait()

    await start_worker([func(wait, name="wait"), ok], max_jobs=1)
    await journal.enqueue([NewJob("wait", QUEUE)])
    await eventually(lambda: _runs(pool, 1))
    await journal.enqueue([NewJob("test_wakeup.ok", QUEUE, id="next")])
    may_end.set()
    await eventually(lambda: none_waits(pool))


async def _runs(pool: ArqRedis, number: int) -> bool:
    return bool(await pool.zcard("arqlight:processing:arq:queue") == number)
