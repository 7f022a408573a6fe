"""Jobs in PostgreSQL when things go wrong: a worker that dies, a lease that is lost, connections that break."""

import asyncio
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from arq import func

from arqlight.connections.database import DatabaseConnection
from arqlight.connections.database.claims import Claims
from arqlight.connections.database.endings import Endings
from arqlight.errors import JobExists, Unusable
from arqlight.jobs.queues import DEFAULT_QUEUE
from arqlight.journal.journal import NewJob
from arqlight.settings import Settings
from tests.conftest import StartWorker
from tests.integration.test_connections import add, sleep
from tests.support.on_any_driver import shown
from tests.support.waiting import eventually

Spawn = Callable[..., subprocess.Popen[str]]
APP = "tests.support.apps.fatal.WorkerSettings"


async def sql(url: str, *command: Any) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(*command)
    finally:
        await connection.close()


async def test_the_worker_command_runs_jobs_of_both_connections(
    billing: DatabaseConnection, postgres: str, spawn: Spawn, settings: Settings
) -> None:
    worker = spawn("worker", APP, ARQLIGHT_CONNECTIONS=f"billing={postgres}", APP_REDIS=str(settings.redis_url))
    [job_id] = await billing.journal.enqueue([NewJob("pid", DEFAULT_QUEUE)])
    job = await shown(billing, job_id, "succeeded")
    assert job["result"] == worker.pid
    worker.send_signal(signal.SIGTERM)
    output, _ = await asyncio.to_thread(worker.communicate, timeout=20)
    assert worker.returncode == 0, output
    assert await billing.reader.workers() == []
    assert await billing.reader.dead_workers() == []


async def test_kill_9_returns_the_jobs_and_one_that_kills_its_workers_ends_as_worker_lost(
    billing: DatabaseConnection, postgres: str, spawn: Spawn, settings: Settings
) -> None:
    environment = {"ARQLIGHT_CONNECTIONS": f"billing={postgres}", "APP_REDIS": str(settings.redis_url)}
    [fatal] = await billing.journal.enqueue([NewJob("fatal", DEFAULT_QUEUE)])
    first = spawn("worker", APP, **environment)
    await asyncio.to_thread(first.wait, timeout=20)
    assert first.returncode == -signal.SIGKILL
    [dead] = await sql(postgres, "UPDATE arqlight_jobs.workers SET lease_until = now() - interval '1 s' RETURNING id")
    assert [worker["id"] for worker in await billing.reader.dead_workers()] == [dead["id"]]
    assert await billing.journal.rescue(asks_for_ms=0) == 1
    job = await billing.reader.job_json(fatal)
    assert (job["state"], job["attempts"]) == ("queued", 1)
    assert [failure["error"] for failure in job["failures"]] == ["WorkerLost"]
    await sql(postgres, "UPDATE arqlight_jobs.pgqueuer SET attempts = 2")
    spawn("worker", APP, **environment)
    job = await shown(billing, fatal, "failed")
    assert job["error"] == "WorkerLost"


async def test_a_job_that_was_given_away_is_not_ended_by_who_had_it_before(
    billing: DatabaseConnection, postgres: str, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()

    async def hold(ctx: dict[str, Any]) -> None:
        await gate.wait()

    await start_worker([func(hold, name="hold")], databases=[billing])
    [job_id] = await billing.journal.enqueue([NewJob("hold", DEFAULT_QUEUE)])
    await shown(billing, job_id, "processing")
    await billing.journal.pause(DEFAULT_QUEUE, True)
    await sql(postgres, "UPDATE arqlight_jobs.workers SET lease_until = now() - interval '1 s'")
    assert await billing.journal.rescue(asks_for_ms=0) == 1
    commit = Endings.commit
    written: list[int] = []

    async def watched(endings: Endings, worker: str, group: Any) -> None:
        await commit(endings, worker, group)
        written.append(len(group))

    monkeypatch.setattr(Endings, "commit", watched)
    gate.set()
    await eventually(lambda: written)
    job = await billing.reader.job_json(job_id)
    assert (job["state"], job["attempts"]) == ("queued", 1)


async def test_broken_connections_lose_no_job(
    billing: DatabaseConnection, postgres: str, start_worker: StartWorker
) -> None:
    await start_worker([add], databases=[billing], max_jobs=10)
    ids = {f"job {number}" for number in range(300)}
    for number in range(300):
        await _enqueue_surely(billing, NewJob("add", DEFAULT_QUEUE, (number,), id=f"job {number}"))
        if number % 100 == 50:
            await sql(
                postgres,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'arqlight' AND state = 'idle'",
            )

    async def all_ended() -> bool:
        jobs, _ = await billing.reader.jobs(state="succeeded", limit=500)
        return {job.id for job in jobs} == ids

    await eventually(all_ended, within_s=45)
    stats = (await billing.reader.overview()).stats()
    assert [stats[name] for name in ("processing", "queued", "failed")] == [0, 0, 0]


async def _enqueue_surely(billing: DatabaseConnection, job: NewJob) -> None:
    """An enqueue that was cut off may have come through: its id says so."""
    for _ in range(20):
        try:
            await billing.journal.enqueue([job])
        except Unusable:
            continue
        except JobExists:
            pass
        return


async def test_a_job_whose_claim_comes_while_the_worker_stops_goes_back_uncounted(
    billing: DatabaseConnection, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await start_worker([sleep], databases=[billing])
    await eventually(billing.reader.workers)
    [runner] = worker._runners
    take = Claims.take
    asked = asyncio.Event()

    async def late(claims: Claims, *what: Any) -> Any:
        taken = await take(claims, *what)
        if taken:
            asked.set()
            await eventually(lambda: runner.view.is_stopping)
        return taken

    monkeypatch.setattr(Claims, "take", late)
    [job_id] = await billing.journal.enqueue([NewJob("sleep", DEFAULT_QUEUE)])
    await asked.wait()
    async with asyncio.timeout(10):
        await worker.close()
    job = await billing.reader.job_json(job_id)
    assert (job["state"], job["attempts"], job["failures"]) == ("queued", 0, [])


async def test_a_worker_whose_database_is_gone_stops_all_the_same(
    billing: DatabaseConnection, start_worker: StartWorker
) -> None:
    worker = await start_worker([sleep], databases=[billing])
    [job_id] = await billing.journal.enqueue([NewJob("sleep", DEFAULT_QUEUE)])
    await shown(billing, job_id, "processing")
    await billing.close()
    async with asyncio.timeout(20):
        await worker.close()


async def test_every_list_has_a_bound(billing: DatabaseConnection, start_worker: StartWorker) -> None:
    await start_worker([add], databases=[billing])
    await billing.journal.enqueue([NewJob("add", DEFAULT_QUEUE, (number,)) for number in range(50)])

    async def ended() -> bool:
        return len((await billing.reader.jobs(state="succeeded", limit=200))[0]) == 50

    await eventually(ended)
    await billing.pool.rows("prune", 10, 10, 20)
    assert len((await billing.reader.jobs(state="succeeded", limit=200))[0]) == 10
    told = await billing.stream.after("0-0", 1_000)
    assert len(told) == 20
    assert not await billing.stream.can_resume("1-0")


async def test_the_stream_waits_for_a_transaction_that_is_under_way_and_not_for_one_rolled_back(
    billing: DatabaseConnection, postgres: str
) -> None:
    await billing.journal.enqueue([NewJob("first", DEFAULT_QUEUE)])
    start = await billing.stream.last_cursor()
    mine = await asyncpg.connect(postgres)
    transaction = mine.transaction()
    await transaction.start()
    [slow] = await billing.journal.enqueue([NewJob("slow", DEFAULT_QUEUE)], mine)
    [quick] = await billing.journal.enqueue([NewJob("quick", DEFAULT_QUEUE)])
    assert await billing.stream.after(start, 10) == []
    await transaction.commit()

    async def both() -> Any:
        return [each.job for each in await billing.stream.after(start, 10)] == [slow, quick]

    await eventually(both)
    cursor = await billing.stream.last_cursor()
    gone = mine.transaction()
    await gone.start()
    await billing.journal.enqueue([NewJob("gone", DEFAULT_QUEUE)], mine)
    await gone.rollback()
    [later] = await billing.journal.enqueue([NewJob("later", DEFAULT_QUEUE)])

    async def only_later() -> Any:
        return [each.job for each in await billing.stream.after(cursor, 10)] == [later]

    await eventually(only_later)
    await mine.close()
