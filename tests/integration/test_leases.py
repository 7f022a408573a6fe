"""A claim is a lease, always: what a dead worker held runs again soon, and what a living one holds never does."""

import asyncio
import threading
from typing import Any

import pytest
from arq import func
from arq.connections import ArqRedis
from arq.jobs import Job, JobStatus

from arqlight.journal.journal import Journal, NewJob
from arqlight.journal.reader import Reader
from arqlight.journal.scripting import LEASE_MS
from arqlight.settings import Settings
from tests.conftest import StartWorker
from tests.support.job_states import none_waits
from tests.support.waiting import eventually

QUEUE = "arq:queue"


async def _server_ms(pool: ArqRedis) -> float:
    seconds, micros = await pool.time()
    return float(seconds) * 1000 + float(micros) / 1000


async def test_a_worker_that_claims_before_its_first_heartbeat_holds_a_lease(
    pool: ArqRedis, journal: Journal, reader: Reader
) -> None:
    await journal.enqueue([NewJob("t", QUEUE, id="one")])
    await journal.claim("w", [QUEUE], 1, 310_000, False)
    lease = await pool.zscore("arqlight:workers", "w")
    assert lease is not None
    assert 0 < lease - await _server_ms(pool) <= LEASE_MS
    assert [worker["id"] for worker in await reader.workers()] == ["w"]
    await pool.zadd("arqlight:workers", {"w": 1})  # it died there
    assert await journal.rescue(asks_for_ms=0) == 1
    [lost] = (await reader.job_json("one"))["failures"]
    assert (lost["error"], lost["attempt"], lost["started_at"] is None) == ("WorkerLost", 1, False)


async def test_a_claim_renews_a_lease_that_is_about_to_end(pool: ArqRedis, journal: Journal) -> None:
    now = await _server_ms(pool)
    await pool.zadd("arqlight:workers", {"w": now + 1000})
    await journal.enqueue([NewJob("t", QUEUE)])
    await journal.claim("w", [QUEUE], 1, 310_000, False)
    assert (await pool.zscore("arqlight:workers", "w") or 0) >= now + LEASE_MS


async def test_nobody_rescues_who_has_not_had_the_server_for_a_whole_lease(
    pool: ArqRedis, journal: Journal, settings: Settings
) -> None:
    await journal.enqueue([NewJob("t", QUEUE)])
    await journal.claim("living", [QUEUE], 1, 310_000, False)
    await pool.zadd("arqlight:workers", {"living": 1})  # the server was away: every lease ran out
    assert await journal.rescue() == 0
    [contact] = await pool.keys("arqlight:rescuer:*")
    assert 0 < await pool.pttl(contact) <= LEASE_MS / 2  # whoever does not ask for so long begins anew
    await pool.set(contact, str(int(await _server_ms(pool)) - LEASE_MS + 500), keepttl=True)
    assert await journal.rescue() == 0
    await pool.set(contact, str(int(await _server_ms(pool)) - LEASE_MS - 1), keepttl=True)
    assert await Journal(pool, settings).rescue() == 0, "another one has not asked yet"
    assert await journal.rescue() == 1


async def test_a_job_that_runs_longer_than_its_claim_holds_is_held_again(
    pool: ArqRedis, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.heartbeat.BEAT_S", 0.05)
    may_end = asyncio.Event()

    async def wait(ctx: dict[str, Any]) -> None:
        await may_end.wait()

    worker = await start_worker([func(wait, name="wait")])
    worker.hold_ms = 400
    await pool.enqueue_job("wait", _job_id="long", _expires=600)
    scores: list[float] = []
    await eventually(lambda: _renewed(pool, scores, 3))
    # Never due again, for us or for a plain arq worker, and in progress for arq's clients.
    assert await Job("long", pool).status() is JobStatus.in_progress
    assert await pool.ttl("arq:job:long") == -1
    assert await pool.zcard("arqlight:processing:arq:queue") == 1
    may_end.set()
    await eventually(lambda: none_waits(pool))


async def _renewed(pool: ArqRedis, scores: list[float], times: int) -> bool:
    """Whether the place of the job in its queue moved on so often; it must always lie ahead."""
    if not await pool.zcard("arqlight:processing:arq:queue"):
        return False
    score = await pool.zscore(QUEUE, "long") or 0
    assert score > await _server_ms(pool)
    if not scores or score > scores[-1] + 50:
        scores.append(score)
    return len(scores) > times


async def test_a_heartbeat_that_cannot_connect_at_first_begins_when_it_can(
    pool: ArqRedis, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    from arqlight.errors import ServerUnreachable
    from arqlight.worker.worker import Worker

    monkeypatch.setattr("arqlight.worker.heartbeat.BEAT_S", 0.05)
    connect, tries = Worker.connect_beside, [ServerUnreachable("away"), OSError("away"), ValueError("a fault of ours")]

    async def fails_at_first(worker: Worker) -> ArqRedis:
        if tries:
            raise tries.pop()
        return await connect(worker)

    monkeypatch.setattr(Worker, "connect_beside", fails_at_first)
    await start_worker([func(_ok, name="ok")])  # returns when its lease stands
    assert not tries


async def _ok(ctx: dict[str, Any]) -> None:
    pass


async def test_an_event_loop_that_hangs_for_ever_loses_its_lease(
    pool: ArqRedis, monkeypatch: pytest.MonkeyPatch, settings: Settings, redis_settings: Any
) -> None:
    from arqlight.worker.worker import Worker

    monkeypatch.setattr("arqlight.worker.heartbeat.BEAT_S", 0.05)
    monkeypatch.setattr("arqlight.worker.heartbeat.STANDSTILL_S", 0.3)
    monkeypatch.setattr("arqlight.journal.scripting.LEASE_MS", 500)
    may_go_on = threading.Event()

    async def hang(ctx: dict[str, Any]) -> None:
        may_go_on.wait(30)

    def run() -> None:
        async def work() -> None:
            worker = Worker(
                [func(hang, name="hang", timeout=0.2)], redis_settings=redis_settings, handle_signals=False,
                settings=settings, burst=True,
            )  # fmt: skip
            await worker.async_run()
            await worker.close()

        asyncio.run(work())

    await pool.enqueue_job("hang", _job_id="hangs")
    thread = threading.Thread(target=run)
    thread.start()
    try:
        other = Journal(pool, settings)
        await eventually(lambda: _comes_back(other))
    finally:
        may_go_on.set()
        await asyncio.to_thread(thread.join)


async def _comes_back(journal: Journal) -> bool:
    return await journal.rescue() == 1


async def test_a_background_task_that_ends_is_started_again(
    pool: ArqRedis, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    from arqlight.worker.worker import Worker

    monkeypatch.setattr("arqlight.background.PAUSE_S", 0.01)
    looks: list[int] = []

    async def fails(worker: Worker) -> None:
        looks.append(1)
        if len(looks) == 1:
            raise ValueError("a fault of ours")

    monkeypatch.setattr(Worker, "_look_around", fails)
    await start_worker([func(_ok, name="ok")])
    await eventually(lambda: len(looks) > 2)


async def test_ids_of_workers_do_not_meet(pool: ArqRedis, start_worker: StartWorker) -> None:
    worker = await start_worker([func(_ok, name="ok")])
    assert len(worker.id.rpartition(":")[2]) == 16


async def test_a_worker_that_lives_again_is_not_among_those_that_stopped_without_notice(
    pool: ArqRedis, journal: Journal, reader: Reader
) -> None:
    await journal.scripts.run("heartbeat", "w", "host", "here")
    await pool.zadd("arqlight:workers", {"w": 1})
    await journal.rescue(asks_for_ms=0)
    assert [worker["id"] for worker in await reader.dead_workers()] == ["w"]
    await journal.scripts.run("heartbeat", "w", "host", "here")
    assert await reader.dead_workers() == []
