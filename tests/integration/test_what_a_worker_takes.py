"""A worker takes what it can run, and leaves the rest to those that can."""

import asyncio
from typing import Any

import pytest
from arq import func
from arq.connections import ArqRedis

from arqlight.connections.named import open_connections
from arqlight.journal.journal import Journal, NewJob
from arqlight.journal.reader import Reader
from arqlight.settings import Settings
from tests.conftest import StartWorker
from tests.support.job_states import reaches, succeeded
from tests.support.waiting import eventually

QUEUE = "arq:queue"


async def _ok(ctx: dict[str, Any]) -> None:
    pass


def task(name: str) -> Any:
    return func(_ok, name=name)


async def test_a_job_goes_to_the_worker_that_has_its_task(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.worker.SAFETY_POLL_S", 600)
    await start_worker([task("a"), task("both")])
    await start_worker([task("b"), task("both")])
    names = [name for _ in range(10) for name in ("a", "b", "both")]
    for number, name in enumerate(names):
        await pool.enqueue_job(name, _job_id=f"{name}-{number}")
    await eventually(lambda: succeeded(pool, len(names)))
    assert not await pool.zcard("arqlight:failed")


async def test_a_worker_with_other_tasks_does_not_spin_while_the_right_one_is_full(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.worker.SAFETY_POLL_S", 600)
    may_end = asyncio.Event()

    async def wait(ctx: dict[str, Any]) -> None:
        await may_end.wait()

    other = await start_worker([task("other")])
    await start_worker([func(wait, name="wait"), task("mine")], max_jobs=1)
    await pool.enqueue_job("wait", _job_id="first")
    await reaches(reader, "first", "processing")
    claims, claim = 0, other._claim

    async def counted() -> None:
        nonlocal claims
        claims += 1
        await claim()

    monkeypatch.setattr(other, "_claim", counted)
    await pool.enqueue_job("mine", _job_id="second")
    await eventually(lambda: claims)
    await asyncio.sleep(0.3)  # nothing is to happen in this time
    assert claims < 10
    may_end.set()
    await reaches(reader, "second", "succeeded")


async def test_a_worker_that_keeps_to_its_own_tasks_never_takes_another(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    await start_worker([task("mine")], keeps_to_own_tasks=True)
    await pool.enqueue_job("theirs", _job_id="theirs")
    await pool.enqueue_job("mine", _job_id="mine")
    await reaches(reader, "mine", "succeeded")
    assert (await reader.job_json("theirs"))["state"] == "queued"
    await start_worker([task("theirs")])
    await reaches(reader, "theirs", "succeeded")


async def test_a_task_that_no_living_worker_has_fails_as_in_arq(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    gone = await start_worker([task("theirs")])
    await gone.close()
    await start_worker([task("mine")])
    await pool.enqueue_job("theirs", _job_id="theirs")
    failed = await reaches(reader, "theirs", "failed")
    assert "no living worker of queue 'default' has a task named 'theirs'" in failed["message"]


async def test_a_worker_of_another_queue_with_that_task_does_not_count(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    await start_worker([task("theirs")], queues=["arq:queue:high"])
    await start_worker([task("mine")])
    await pool.enqueue_job("theirs", _job_id="theirs")
    await reaches(reader, "theirs", "failed")


@pytest.mark.parametrize("whose", ["plain arq workers run", "another worker has the task of"])
async def test_two_thousand_jobs_at_the_head_that_are_not_ours_do_not_starve_the_rest(
    pool: ArqRedis, journal: Journal, start_worker: StartWorker, reader: Reader, whose: str
) -> None:
    others = [NewJob("theirs", QUEUE, id=f"theirs-{number}") for number in range(2_500)]
    await journal.enqueue(others)
    if whose.startswith("plain"):
        async with pool.pipeline() as pipe:
            for job in others:
                pipe.psetex(f"arq:in-progress:{job.id}", 300_000, b"1")
            await pipe.execute()
    await start_worker([task("mine")], keeps_to_own_tasks=True)
    await pool.enqueue_job("mine", _job_id="mine")
    await reaches(reader, "mine", "succeeded")


async def test_a_server_that_lost_its_data_is_told_again_what_a_worker_can_run(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.heartbeat.BEAT_S", 0.05)
    await start_worker([task("mine")])
    await pool.flushall()
    await eventually(reader.known_tasks)
    assert await reader.known_queues() == [QUEUE]


async def test_a_limit_that_a_worker_declared_stays_when_another_starts_without_one_and_goes_with_the_last(
    pool: ArqRedis, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.worker.BEAT_S", 0.05)
    declares = await start_worker([task("mine")], limits={QUEUE: 2})
    await start_worker([task("mine")])
    for _ in range(3):
        await asyncio.sleep(0.1)  # it looks several times
        assert await pool.hget("arqlight:limits", QUEUE) == b"2"  # type: ignore[misc]
    await declares.close()
    await eventually(lambda: _no_limit(pool))


async def _no_limit(pool: ArqRedis) -> bool:
    return not await pool.exists("arqlight:limits")


async def test_a_burst_over_a_paused_queue_ends(pool: ArqRedis, journal: Journal, start_worker: StartWorker) -> None:
    await pool.enqueue_job("mine")
    await journal.pause(QUEUE, True)
    worker = await start_worker([task("mine")], burst=True)
    await eventually(lambda: worker.main_task and worker.main_task.done())


async def test_an_id_that_failed_on_one_queue_and_waits_on_another_can_be_cancelled(
    pool: ArqRedis, journal: Journal, start_worker: StartWorker, reader: Reader
) -> None:
    await start_worker([task("mine")])
    await pool.enqueue_job("none", _job_id="one")
    await reaches(reader, "one", "failed")
    await pool.delete("arq:result:one")
    await pool.enqueue_job("mine", _job_id="one", _queue_name="arq:queue:high")
    assert await journal.cancel("one", "arq:queue:high", "mine")
    assert not await pool.zcard("arq:queue:high")
    assert not await pool.exists("arqlight:failed", "arqlight:groups")  # a job is in one list
    job = await reader.job("one")
    assert (job.job.state, job.job.task, job.failures) == ("cancelled", "mine", [])


async def test_the_page_and_the_doctor_name_the_task_that_nobody_has_and_who_had_it_last(
    pool: ArqRedis, start_worker: StartWorker, settings: Settings
) -> None:
    had_it = await start_worker([task("theirs")])
    await had_it.close()
    await start_worker([task("mine")], keeps_to_own_tasks=True)
    await pool.enqueue_job("theirs")
    await pool.enqueue_job("nobodys")
    connections = open_connections(settings)
    try:
        maintenance = connections.first.maintenance
        warnings = " ".join(await maintenance.warnings())
        assert "jobs of 'theirs' wait in queue 'default' and no living worker of that queue has this task" in warnings
        assert had_it.id in warnings
        assert "'nobodys'" in warnings
        assert {each.fault for each in await maintenance.findings()} >= {"no worker for a task"}
    finally:
        await connections.close()


@pytest.mark.parametrize("after_s", [0, 0.3])
async def test_after_the_server_lost_its_data_no_job_fails_that_another_worker_can_run(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader, after_s: float
) -> None:
    for name in ("mine", "theirs"):
        await start_worker([task(name)])
    await pool.flushall()
    await asyncio.sleep(after_s)
    ids = [f"{name}-{number}" for number in range(5) for name in ("mine", "theirs")]
    for job_id in ids:
        await pool.enqueue_job(job_id.partition("-")[0], _job_id=job_id)
    for job_id in ids:
        await reaches(reader, job_id, "succeeded")


async def test_who_announced_again_first_leaves_what_it_lacks_to_those_that_have_not_yet(
    pool: ArqRedis, journal: Journal
) -> None:
    await journal.scripts.run("heartbeat", "first")  # the server knows nothing of it
    await journal.announce("first", [QUEUE], {"mine": {}})
    await pool.enqueue_job("mine", _job_id="mine")
    await pool.enqueue_job("theirs", _job_id="theirs")
    claims, _ = await journal.claim("first", [QUEUE], 10, 60_000, False, keeps_to_own=False)
    assert [claim.id for claim in claims] == ["mine"]
