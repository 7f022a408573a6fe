"""Ids that look like the numbers of rows, and texts that PostgreSQL cannot hold."""

import asyncio
import logging
from typing import Any

import pytest
from arq import func

from arqlight.connections.database import DatabaseConnection
from arqlight.errors import InvalidInput, JobExists, JobNotFound
from arqlight.jobs.queues import DEFAULT_QUEUE, queue_key
from arqlight.journal.journal import NewJob
from tests.conftest import StartWorker
from tests.integration.test_connections import add, sleep
from tests.integration.test_database_jobs import sql
from tests.support.on_any_driver import shown
from tests.support.waiting import eventually

ODD = "a\0b\ud800c\\u0000"
CLEANED = "a\\x00b?c\\u0000"


async def numbers(postgres: str) -> dict[str, int]:
    rows = await sql(postgres, "SELECT id, dedupe_key FROM arqlight_jobs.pgqueuer")
    return {row["dedupe_key"]: row["id"] for row in rows}


async def test_an_id_that_is_the_number_of_another_jobs_row_means_only_its_own_job(
    billing: DatabaseConnection, postgres: str
) -> None:
    [first] = await billing.journal.enqueue([NewJob("add", DEFAULT_QUEUE, (1,))])
    number = str((await numbers(postgres))[first])
    with pytest.raises(JobNotFound):
        await billing.reader.job(number)
    [chosen] = await billing.journal.enqueue([NewJob("sleep", DEFAULT_QUEUE, id=number)])
    assert chosen == number
    assert (await billing.reader.job_json(number))["task"] == "sleep"
    assert await billing.journal.cancel(number, DEFAULT_QUEUE, "sleep")
    assert (await billing.reader.job_json(first))["state"] == "queued"
    await sql(postgres, "UPDATE arqlight_jobs.pgqueuer SET status = 'failed'")
    for act in (billing.journal.retry, billing.journal.delete):
        with pytest.raises(JobNotFound):
            await act(number)
    assert (await billing.reader.job_json(first))["state"] == "failed"


async def test_a_job_without_an_id_is_known_by_its_number_and_nobody_can_choose_it(
    billing: DatabaseConnection, postgres: str
) -> None:
    [job_id] = await billing.journal.enqueue([NewJob("add", DEFAULT_QUEUE, (1,))])
    await sql(postgres, "UPDATE arqlight_jobs.pgqueuer SET dedupe_key = NULL RETURNING id")  # as PgQueuer enqueues
    [row] = await sql(postgres, "SELECT id FROM arqlight_jobs.pgqueuer")
    number = str(row["id"])
    assert (await billing.reader.job_json(number))["task"] == "add"
    with pytest.raises(JobExists):
        await billing.journal.enqueue([NewJob("add", DEFAULT_QUEUE, (2,), id=number)])
    with pytest.raises(JobNotFound):
        await billing.reader.job(job_id)


async def test_the_log_of_a_job_is_not_that_of_the_next_one_with_its_id(
    billing: DatabaseConnection, postgres: str, start_worker: StartWorker
) -> None:
    await start_worker([add], databases=[billing])
    for number in range(2):
        await billing.journal.enqueue([NewJob("add", DEFAULT_QUEUE, (number,), id="same")])
        await shown(billing, "same", "succeeded")

        async def said(number: int = number) -> bool:
            lines = (await billing.reader.job_json("same"))["log"]
            return [line["message"] for line in lines] == [f"adding {number}"]

        await eventually(said)
        await sql(postgres, "UPDATE arqlight_jobs.ended SET finished_at = now() - interval '2 hours'")


@pytest.mark.parametrize("text", ["", "nul \0", "half \ud800", "x" * 501])
async def test_an_id_queue_or_task_that_postgresql_cannot_hold_is_refused_in_clear_words(
    billing: DatabaseConnection, text: str
) -> None:
    jobs = [("id", NewJob("add", DEFAULT_QUEUE, id=text)), ("task", NewJob(text, DEFAULT_QUEUE))]
    if text.isascii() and "\0" not in text:  # else its name is written as it is shown, which can be held
        jobs.append(("queue", NewJob("add", queue_key(text) if text else "")))
    for field, job in jobs:
        with pytest.raises(InvalidInput) as refused:
            await billing.journal.enqueue([NewJob("add", DEFAULT_QUEUE), job])
        assert refused.value.field == field
    assert (await billing.reader.overview()).stats()["queued"] == 0


async def test_texts_that_postgresql_cannot_hold_harm_nobody(
    billing: DatabaseConnection, start_worker: StartWorker
) -> None:
    async def odd(ctx: dict[str, Any]) -> None:
        ctx["log"](ODD)
        logging.getLogger(ODD).warning("%s", ODD)
        ctx["progress"](float("nan"), 2, ODD)
        await asyncio.sleep(0.3)
        raise ValueError(ODD)

    await billing.stream.say_watched(60)
    await start_worker([func(odd, name="odd", max_tries=1), add], databases=[billing], max_jobs=20)
    jobs = [NewJob("add", DEFAULT_QUEUE, (number,)) for number in range(5)]
    bad, *good = await billing.journal.enqueue([NewJob("odd", DEFAULT_QUEUE), *jobs])

    async def told() -> Any:
        return (await billing.reader.job_json(bad))["progress"]

    assert (await eventually(told))["what"] == CLEANED
    for job_id in good:
        await shown(billing, job_id, "succeeded")
    job = await shown(billing, bad, "failed")
    assert job["message"] == CLEANED

    async def said() -> Any:
        return [line["message"] for line in (await billing.reader.job_json(bad))["log"]]

    assert await eventually(said) == [CLEANED, CLEANED]
    told_of = [each.told or {} for each in await billing.stream.after("0-0", 100)]
    assert CLEANED in [about.get("message") for about in told_of]


async def test_a_worker_with_a_nul_in_the_name_of_a_task_is_shown(
    billing: DatabaseConnection, start_worker: StartWorker
) -> None:
    await start_worker([func(add, name="add \0")], databases=[billing])
    [worker] = await eventually(billing.reader.workers)
    assert worker["tasks"] == ["add \\x00"]


async def test_a_cancel_between_the_claim_and_the_start_is_not_lost(
    billing: DatabaseConnection, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    from arqlight.connections.database.claims import Claims

    take = Claims.take

    async def cancelled_meanwhile(claims: Claims, *what: Any) -> Any:
        taken = await take(claims, *what)
        for claim in taken:
            assert not await billing.journal.cancel(claim.id, DEFAULT_QUEUE, "sleep")
        await asyncio.sleep(0.1)  # its notification has come before there is anything to stop
        return taken

    monkeypatch.setattr(Claims, "take", cancelled_meanwhile)
    await start_worker([sleep], databases=[billing])
    [job_id] = await billing.journal.enqueue([NewJob("sleep", DEFAULT_QUEUE)])
    await shown(billing, job_id, "cancelled")


async def test_a_cancel_whose_notification_is_lost_stops_the_job_all_the_same(
    billing: DatabaseConnection, postgres: str, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.database_round.SAFETY_POLL_S", 0.2)
    await start_worker([sleep], databases=[billing])
    [job_id] = await billing.journal.enqueue([NewJob("sleep", DEFAULT_QUEUE)])
    await shown(billing, job_id, "processing")
    await sql(postgres, """UPDATE arqlight_jobs.pgqueuer SET headers = headers || '{"recalled": "yes"}'""")
    await shown(billing, job_id, "cancelled")


async def test_a_job_that_was_called_off_and_then_rescued_is_cancelled_when_it_is_claimed_again(
    billing: DatabaseConnection, postgres: str, start_worker: StartWorker
) -> None:
    [job_id] = await billing.journal.enqueue([NewJob("sleep", DEFAULT_QUEUE)])
    held = "UPDATE arqlight_jobs.pgqueuer SET status = 'picked', queue_manager_id = gen_random_uuid(), "
    await sql(postgres, held + "updated = now() - interval '2 min', heartbeat = now() - interval '2 min'")
    assert not await billing.journal.cancel(job_id, DEFAULT_QUEUE, "sleep")
    assert await billing.journal.rescue(asks_for_ms=0) == 1
    ran: list[str] = []

    async def note(ctx: dict[str, Any]) -> None:
        ran.append(ctx["job_id"])
        await asyncio.sleep(600)

    await start_worker([func(note, name="sleep")], databases=[billing])
    await shown(billing, job_id, "cancelled")
    assert ran == []


async def test_a_worker_that_dies_at_its_first_claim_has_a_lease_that_runs_out(
    billing: DatabaseConnection, postgres: str, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    from arqlight.worker.database_heartbeat import DatabaseHeartbeat

    monkeypatch.setattr(DatabaseHeartbeat, "_run", lambda heartbeat: None)  # it never comes to its first beat
    await start_worker([sleep], databases=[billing])
    ran_out = "UPDATE arqlight_jobs.workers SET lease_until = now() - interval '1 s' RETURNING id"
    await eventually(lambda: sql(postgres, ran_out))
    [job_id] = await billing.journal.enqueue([NewJob("sleep", DEFAULT_QUEUE)])
    await shown(billing, job_id, "processing")
    [row] = await sql(postgres, "SELECT lease_until - now() AS left FROM arqlight_jobs.workers")
    assert 5 < row["left"].total_seconds() <= 10
    await sql(postgres, "UPDATE arqlight_jobs.workers SET lease_until = now() - interval '1 s'")
    assert await billing.journal.rescue(asks_for_ms=0) == 1


async def test_an_ending_of_an_earlier_claim_of_the_same_worker_changes_nothing(
    billing: DatabaseConnection, postgres: str, start_worker: StartWorker
) -> None:
    gates = [asyncio.Event(), asyncio.Event()]
    began: list[int] = []

    async def hold(ctx: dict[str, Any]) -> int:
        began.append(len(began))
        mine = began[-1]
        await gates[mine].wait()
        return mine

    [runner] = (await start_worker([func(hold, name="hold")], databases=[billing]))._runners
    [job_id] = await billing.journal.enqueue([NewJob("hold", DEFAULT_QUEUE)])
    await eventually(lambda: began == [0])
    await sql(postgres, "UPDATE arqlight_jobs.workers SET lease_until = now() - interval '1 s'")
    await billing.journal.rescue(asks_for_ms=0)
    await eventually(lambda: began == [0, 1])
    gates[0].set()
    await eventually(lambda: len(runner.attempts.running) == 1 and not runner._endings.unwritten())
    assert (await billing.reader.job_json(job_id))["state"] == "processing"
    gates[1].set()
    job = await shown(billing, job_id, "succeeded")
    assert (job["result"], job["attempts"]) == (1, 2)
