"""What a worker takes from a database: within limits, of its tasks, before it expires; and when a burst is over."""

import asyncio
import uuid
from typing import Any

import pytest
from arq import Retry, func
from arq.connections import ArqRedis

from arqlight.connections.database import DatabaseConnection
from arqlight.connections.database.claims import Claims
from arqlight.errors import NotYet
from arqlight.jobs.queues import DEFAULT_QUEUE, queue_key
from arqlight.journal.journal import Journal, NewJob
from arqlight.settings import Settings
from tests.conftest import StartWorker, with_database
from tests.integration.test_connections import add
from tests.integration.test_database_jobs import sql
from tests.support.on_any_driver import shown
from tests.support.waiting import eventually

HIGH = queue_key("high")


def other_view(settings: Settings, postgres: str) -> DatabaseConnection:
    """The same database for a second worker, which closes what it is given."""
    return DatabaseConnection("billing", postgres, with_database(settings, postgres))


async def ok(ctx: dict[str, Any]) -> None:
    pass


async def stats_of(billing: DatabaseConnection) -> dict[str, Any]:
    return (await billing.reader.overview()).stats()


async def burst(worker: Any, within_s: float = 20) -> None:
    async with asyncio.timeout(within_s):
        await worker.main_task


async def test_a_burst_takes_no_more_jobs_than_its_limit_over_redis_and_the_database_together(
    billing: DatabaseConnection, journal: Journal, start_worker: StartWorker
) -> None:
    gate = asyncio.Event()

    async def hold(ctx: dict[str, Any]) -> None:
        await gate.wait()

    await journal.enqueue([NewJob("hold", DEFAULT_QUEUE)])
    await billing.journal.enqueue([NewJob("hold", DEFAULT_QUEUE) for _ in range(20)])
    tasks = [func(ok, name="ok"), func(hold, name="hold")]
    worker = await start_worker(tasks, databases=[billing], burst=True, max_burst_jobs=13, max_jobs=3)
    # What runs on the one side counts on the other: Redis has slots, and jobs left, all the time from here.
    await eventually(lambda: worker.jobs_begun(and_asked_for=False) == 4)
    await journal.enqueue([NewJob("ok", DEFAULT_QUEUE) for _ in range(20)])
    await eventually(lambda: worker.jobs_begun(and_asked_for=False) == 13)
    gate.set()
    await burst(worker)
    assert worker.jobs_complete == 13


async def test_a_burst_counts_each_job_once_and_runs_again_what_asks_for_it(
    billing: DatabaseConnection, start_worker: StartWorker
) -> None:
    async def again(ctx: dict[str, Any]) -> None:
        if ctx["job_try"] == 1:
            raise Retry(defer=0.05)

    await billing.journal.enqueue([NewJob("again", DEFAULT_QUEUE), NewJob("ok", DEFAULT_QUEUE)])
    worker = await start_worker([func(again, name="again"), func(ok, name="ok")], databases=[billing], burst=True)
    await burst(worker)
    assert (worker.jobs_complete, worker.jobs_retried, worker.jobs_failed) == (2, 1, 0)


async def test_a_burst_over_a_paused_queue_with_jobs_in_it_ends(
    billing: DatabaseConnection, start_worker: StartWorker
) -> None:
    await billing.journal.enqueue([NewJob("ok", DEFAULT_QUEUE)])
    await billing.journal.pause(DEFAULT_QUEUE, True)
    worker = await start_worker([func(ok, name="ok")], databases=[billing], burst=True)
    await burst(worker, within_s=5)
    assert (await stats_of(billing))["queued"] == 1


async def test_a_paused_queue_with_a_job_in_it_is_looked_at_no_oftener_than_an_empty_one(
    billing: DatabaseConnection, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    take = Claims.take

    async def counted(claims: Claims, *what: Any) -> Any:
        looks.append(1)
        return await take(claims, *what)

    await billing.journal.enqueue([NewJob("ok", DEFAULT_QUEUE)])
    await billing.journal.pause(DEFAULT_QUEUE, True)
    monkeypatch.setattr(Claims, "take", counted)
    await start_worker([func(ok, name="ok")], databases=[billing])
    await eventually(lambda: looks)
    await asyncio.sleep(2)  # nothing is to happen meanwhile
    assert len(looks) <= 6


async def test_a_worker_leaves_a_job_to_the_one_that_has_its_task(
    billing: DatabaseConnection, settings: Settings, postgres: str, start_worker: StartWorker
) -> None:
    await start_worker([func(add, name="add")], databases=[billing])
    await start_worker([func(ok, name="ok")], databases=[other_view(settings, postgres)])
    seen = other_view(settings, postgres)

    async def both() -> bool:
        return len(await seen.reader.workers()) == 2

    await eventually(both)
    ids = await seen.journal.enqueue([NewJob("ok", DEFAULT_QUEUE) for _ in range(20)])
    for job_id in ids:
        await shown(seen, job_id, "succeeded")
    await seen.close()


async def test_a_job_whose_task_nobody_has_fails_but_not_with_a_worker_that_keeps_to_its_own(
    billing: DatabaseConnection, settings: Settings, postgres: str, start_worker: StartWorker
) -> None:
    seen = other_view(settings, postgres)
    await start_worker([func(ok, name="ok")], databases=[billing], keeps_to_own_tasks=True)
    [unknown] = await seen.journal.enqueue([NewJob("nobody", DEFAULT_QUEUE)])
    [known] = await seen.journal.enqueue([NewJob("ok", DEFAULT_QUEUE)])
    await shown(seen, known, "succeeded")
    assert (await seen.reader.job_json(unknown))["state"] == "queued"
    await start_worker([func(add, name="add")], databases=[other_view(settings, postgres)])
    job = await shown(seen, unknown, "failed")
    assert "no living worker" in job["message"]
    await seen.close()


async def test_a_limit_that_one_living_worker_declares_holds_over_all_workers(
    billing: DatabaseConnection, settings: Settings, postgres: str, start_worker: StartWorker
) -> None:
    seen, most, running = other_view(settings, postgres), 0, 0

    async def counts(ctx: dict[str, Any]) -> None:
        nonlocal most, running
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1

    task = func(counts, name="counts")
    await start_worker([task], databases=[billing], limits={DEFAULT_QUEUE: 2})
    await eventually(seen.reader.workers)
    await start_worker([task], databases=[other_view(settings, postgres)])
    ids = await seen.journal.enqueue([NewJob("counts", DEFAULT_QUEUE) for _ in range(30)])
    for job_id in ids:
        await shown(seen, job_id, "succeeded")
    assert most == 2
    await seen.close()


async def test_only_a_job_that_asked_for_it_expires_and_only_before_it_began(
    billing: DatabaseConnection, postgres: str, start_worker: StartWorker
) -> None:
    async def asks(ctx: dict[str, Any]) -> None:
        if "asked" not in seen:
            seen.append("asked")
            raise NotYet(0.01, "a turn")

    seen: list[str] = []
    late, never, begun = await billing.journal.enqueue(
        [
            NewJob("ok", DEFAULT_QUEUE, expires_ms=1_000),
            NewJob("ok", DEFAULT_QUEUE),
            NewJob("asks", DEFAULT_QUEUE, expires_ms=1_000_000),
        ]
    )
    await sql(
        postgres,
        "UPDATE arqlight_jobs.pgqueuer SET execute_after = now() - interval '2 days' WHERE headers->>'task' = 'ok'",
    )
    await start_worker([func(ok, name="ok"), func(asks, name="asks")], databases=[billing])
    job = await shown(billing, late, "failed")
    assert "expiry" in job["message"]
    await shown(billing, never, "succeeded")
    await shown(billing, begun, "succeeded")


async def test_what_waits_in_a_paused_queue_does_not_expire_meanwhile(
    billing: DatabaseConnection, postgres: str, start_worker: StartWorker
) -> None:
    [job_id] = await billing.journal.enqueue([NewJob("ok", DEFAULT_QUEUE, expires_ms=60_000)])
    await billing.journal.pause(DEFAULT_QUEUE, True)
    await sql(postgres, "UPDATE arqlight_jobs.paused SET since = now() - interval '1 hour'")
    await sql(postgres, "UPDATE arqlight_jobs.pgqueuer SET execute_after = now() - interval '1 hour'")
    await billing.journal.pause(DEFAULT_QUEUE, False)
    await start_worker([func(ok, name="ok")], databases=[billing])
    await shown(billing, job_id, "succeeded")


async def test_a_shutdown_that_cuts_a_job_short_counts_the_second_time_in_a_row(
    billing: DatabaseConnection, settings: Settings, postgres: str, start_worker: StartWorker
) -> None:
    seen = other_view(settings, postgres)
    began = asyncio.Event()

    async def hold(ctx: dict[str, Any]) -> None:
        began.set()
        await asyncio.sleep(600)

    [job_id] = await seen.journal.enqueue([NewJob("hold", DEFAULT_QUEUE)])
    for attempts in (0, 1, 1):
        began.clear()
        worker = await start_worker([func(hold, name="hold")], databases=[other_view(settings, postgres)])
        await began.wait()
        await worker.close()
        assert (await shown(seen, job_id, "queued"))["attempts"] == attempts
    await seen.close()


async def test_an_ending_that_the_server_refuses_becomes_a_failure_and_harms_no_other(
    billing: DatabaseConnection, postgres: str, start_worker: StartWorker
) -> None:
    await sql(postgres, "ALTER TABLE arqlight_jobs.ended ADD CHECK (task <> 'refused')")
    ids = await billing.journal.enqueue(
        [NewJob(task, DEFAULT_QUEUE) for task in ("ok", "ok", "refused", "ok")],
    )
    worker = await start_worker([func(ok, name="ok"), func(ok, name="refused")], databases=[billing])
    job = await shown(billing, ids[2], "failed")
    assert job["error"] == "EndingRefused"
    assert "refused to store" in job["message"]
    for job_id in (ids[0], ids[1], ids[3]):
        await shown(billing, job_id, "succeeded")
    assert worker.jobs_complete + worker.jobs_failed == 4


async def test_a_job_that_is_due_later_begins_when_it_is_due(
    billing: DatabaseConnection, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.database_round.SAFETY_POLL_S", 600)
    await start_worker([func(ok, name="ok")], databases=[billing])
    await eventually(billing.reader.workers)
    [job_id] = await billing.journal.enqueue([NewJob("ok", DEFAULT_QUEUE, delay_ms=400)])
    await shown(billing, job_id, "succeeded")


async def test_queues_are_taken_in_the_workers_order(
    billing: DatabaseConnection, pool: ArqRedis, start_worker: StartWorker
) -> None:
    order: list[str] = []

    async def note(ctx: dict[str, Any], queue: str) -> None:
        order.append(queue)

    await billing.journal.enqueue([NewJob("note", DEFAULT_QUEUE, ("default",)) for _ in range(5)])
    await billing.journal.enqueue([NewJob("note", HIGH, ("high",)) for _ in range(5)])
    task = func(note, name="note")
    await start_worker([task], databases=[billing], queues=[HIGH, DEFAULT_QUEUE], max_jobs=1)
    await eventually(lambda: len(order) == 10)
    assert order == ["high"] * 5 + ["default"] * 5


async def test_events_have_the_same_words_for_states_as_on_redis(
    billing: DatabaseConnection, start_worker: StartWorker
) -> None:
    later, gone = await billing.journal.enqueue(
        [NewJob("ok", DEFAULT_QUEUE, delay_ms=600_000), NewJob("ok", HIGH)],
    )
    assert await billing.journal.empty(HIGH, 5) == 1
    told = {each.job: (each.told or {})["state"] for each in await billing.stream.after("0-0", 10)}
    assert told == {later: "scheduled", gone: "deleted"}
    assert (await billing.reader.job_json(later))["state"] == "scheduled"


async def test_dead_workers_are_listed_with_the_last_one_first(billing: DatabaseConnection, postgres: str) -> None:
    about: dict[str, Any] = {
        "queues": ["default"], "tasks": [], "limits": {}, "host": "h", "pid": 1, "version": "0", "max_jobs": 1,
        "memory_bytes": 1,
    }  # fmt: skip
    for name, ago_s in (("middle", 20), ("last", 10), ("first", 30)):
        await Claims(billing.pool, name, uuid.uuid4(), lambda: about, False).take(["default"], [1], 1, {}, False)
        left = f"now() - interval '{ago_s} s'"
        await sql(postgres, f"UPDATE arqlight_jobs.workers SET lease_until = {left} WHERE id = '{name}'")
    assert [worker["id"] for worker in await billing.reader.dead_workers()] == ["last", "middle", "first"]
