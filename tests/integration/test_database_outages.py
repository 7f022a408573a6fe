"""A database that goes away, goes silent and comes back: what runs is not lost, and what waits is taken soon after."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import psycopg
import pytest
from arq import func

from arqlight.connections.database import DatabaseConnection
from arqlight.errors import Unusable
from arqlight.jobs.queues import DEFAULT_QUEUE
from arqlight.journal.journal import NewJob
from arqlight.settings import Settings
from tests.conftest import StartWorker, with_database
from tests.integration.test_connections import add
from tests.integration.test_database_jobs import sql
from tests.support.on_any_driver import empty_schema, shown
from tests.support.postgres_proxy import PostgresProxy
from tests.support.waiting import eventually

CUT_LISTENERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' OR query = 'SELECT 1'"
)


@pytest.fixture
async def proxy(postgres: str) -> AsyncIterator[PostgresProxy]:
    await empty_schema(postgres)
    async with PostgresProxy(postgres) as proxy:
        yield proxy


@pytest.fixture
async def billing(settings: Settings, postgres: str, proxy: PostgresProxy) -> AsyncIterator[DatabaseConnection]:
    """As people see it, straight to the server."""
    connection = DatabaseConnection("billing", postgres, with_database(settings, postgres))
    await connection.ping()
    yield connection
    await connection.close()


@pytest.fixture
async def behind(settings: Settings, proxy: PostgresProxy, billing: DatabaseConnection) -> DatabaseConnection:
    """As the worker sees it, behind the proxy."""
    return DatabaseConnection("billing", proxy.url, with_database(settings, proxy.url))


async def test_after_an_outage_every_slot_takes_jobs_while_a_long_job_runs_on(
    billing: DatabaseConnection, behind: DatabaseConnection, proxy: PostgresProxy, start_worker: StartWorker
) -> None:
    gate = asyncio.Event()

    async def hold(ctx: dict[str, Any]) -> None:
        await gate.wait()

    await start_worker([func(hold, name="hold"), add], databases=[behind], max_jobs=10)
    [held] = await billing.journal.enqueue([NewJob("hold", DEFAULT_QUEUE)])
    await shown(billing, held, "processing")
    async with proxy.down():
        await eventually(lambda: proxy.refused >= 3, within_s=30)
    began = time.monotonic()
    ids = await billing.journal.enqueue([NewJob("add", DEFAULT_QUEUE, (number,)) for number in range(20)])
    for job_id in ids:
        await shown(billing, job_id, "succeeded")
    assert time.monotonic() - began < 10
    gate.set()
    job = await shown(billing, held, "succeeded")
    assert (job["attempts"], job["failures"]) == (1, [])


async def test_a_lost_listening_connection_is_made_again_and_jobs_are_taken_at_once(
    billing: DatabaseConnection, postgres: str, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.database_round.SAFETY_POLL_S", 600)
    await start_worker([add], databases=[billing])
    for number in range(3):
        [job_id] = await billing.journal.enqueue([NewJob("add", DEFAULT_QUEUE, (number,))])
        await shown(billing, job_id, "succeeded")
        await eventually(lambda: sql(postgres, CUT_LISTENERS))


async def test_an_ending_that_ends_during_an_outage_is_written_when_the_server_is_back(
    billing: DatabaseConnection, behind: DatabaseConnection, proxy: PostgresProxy, start_worker: StartWorker
) -> None:
    gate = asyncio.Event()

    async def hold(ctx: dict[str, Any]) -> str:
        await gate.wait()
        return "kept"

    await start_worker([func(hold, name="hold")], databases=[behind])
    [job_id] = await billing.journal.enqueue([NewJob("hold", DEFAULT_QUEUE)])
    await shown(billing, job_id, "processing")
    async with proxy.down():
        gate.set()
        before = proxy.refused
        await eventually(lambda: proxy.refused >= before + 3, within_s=30)
    job = await shown(billing, job_id, "succeeded")
    assert (job["result"], job["attempts"]) == ("kept", 1)


async def test_a_server_that_goes_silent_is_given_up_and_asked_again(
    billing: DatabaseConnection, behind: DatabaseConnection, proxy: PostgresProxy, start_worker: StartWorker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for place in (
        "worker.database_runner.SEVERAL_CALLS_S", "worker.database_runner.CALL_S", "worker.database_heartbeat.CALL_S",
        "connections.database.endings.CALL_S", "connections.database.listener.PING_EVERY_S",
        "connections.database.listener.PING_S", "connections.database.pool.CONNECT_TIMEOUT_S",
    ):  # fmt: skip
        monkeypatch.setattr(f"arqlight.{place}", 0.5)
    monkeypatch.setattr("arqlight.worker.database_round.SAFETY_POLL_S", 600)
    await start_worker([add], databases=[behind])
    [first] = await billing.journal.enqueue([NewJob("add", DEFAULT_QUEUE, (1,))])
    await shown(billing, first, "succeeded")
    before = proxy.opened
    proxy.go_silent()
    # The silent connections stay open; new ones answer. One that is listened on has to be found out too.
    [second] = await billing.journal.enqueue([NewJob("add", DEFAULT_QUEUE, (2,))])
    await shown(billing, second, "succeeded")
    assert proxy.opened > before


async def test_leases_that_ran_out_in_an_outage_do_not_give_away_what_living_workers_run(
    billing: DatabaseConnection, postgres: str
) -> None:
    await billing.journal.rescue()
    [job_id] = await billing.journal.enqueue([NewJob("add", DEFAULT_QUEUE, (1,))])
    await sql(postgres, f"UPDATE arqlight_jobs.pgqueuer SET status = 'picked', queue_manager_id = '{'0' * 31}1'")
    await sql(
        postgres,
        "INSERT INTO arqlight_jobs.workers (id, manager, about, lease_until) VALUES ('w', "
        f"'{'0' * 31}1', '{{}}', now() - interval '1 s')",
    )
    await _asked(postgres, since_s=20, at_s=6)
    assert await billing.journal.rescue() == 0, "it did not ask for more than half a lease: it begins anew"
    await _asked(postgres, since_s=9, at_s=1)
    assert await billing.journal.rescue() == 0, "it has not had the server for a whole lease"
    await _asked(postgres, since_s=11, at_s=4)
    assert await billing.journal.rescue() == 1
    assert (await billing.reader.job_json(job_id))["state"] == "queued"


async def _asked(postgres: str, *, since_s: int, at_s: int) -> None:
    await sql(
        postgres,
        f"UPDATE arqlight_jobs.rescuers SET since = now() - interval '{since_s} s', asked_at = now() - interval '{at_s} s'",
    )


async def test_a_job_held_by_a_worker_in_no_row_is_rescued_after_a_minute(
    billing: DatabaseConnection, postgres: str
) -> None:
    [job_id] = await billing.journal.enqueue([NewJob("add", DEFAULT_QUEUE, (1,))])
    held = "UPDATE arqlight_jobs.pgqueuer SET status = 'picked', queue_manager_id = gen_random_uuid(), "
    await sql(postgres, held + "updated = now() - interval '50 s', heartbeat = now() - interval '50 s'")
    assert await billing.journal.rescue(asks_for_ms=0) == 0
    await sql(postgres, held + "updated = now() - interval '61 s', heartbeat = now() - interval '61 s'")
    assert await billing.journal.rescue(asks_for_ms=0) == 1
    assert (await billing.reader.job_json(job_id))["failures"][0]["error"] == "WorkerLost"


async def test_what_runs_does_not_lose_its_lease_to_a_task_that_blocks_the_event_loop(
    billing: DatabaseConnection, postgres: str, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.database_heartbeat.BEAT_S", 0.1)
    kept: list[bool] = []

    async def block(ctx: dict[str, Any]) -> None:
        until = time.monotonic() + 1
        while time.monotonic() < until:
            time.sleep(0.01)  # noqa: ASYNC251 - it is to block
        row = await sql(postgres, "SELECT seen_at > now() - interval '0.6 s' AS kept FROM arqlight_jobs.workers")
        kept.append(row[0]["kept"])

    await start_worker([func(block, name="block")], databases=[billing])
    [job_id] = await billing.journal.enqueue([NewJob("block", DEFAULT_QUEUE)])
    await shown(billing, job_id, "succeeded")
    assert kept == [True]


async def test_an_event_loop_that_stands_still_too_long_loses_the_lease(
    billing: DatabaseConnection, postgres: str, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.database_heartbeat.BEAT_S", 0.1)
    monkeypatch.setattr("arqlight.worker.heartbeat.STANDSTILL_S", 0.3)
    unseen_s: list[float] = []

    async def block(ctx: dict[str, Any]) -> None:
        time.sleep(2)  # noqa: ASYNC251 - it is to block
        with psycopg.connect(postgres) as connection:
            row = connection.execute(
                "SELECT extract(epoch FROM clock_timestamp() - seen_at) FROM arqlight_jobs.workers"
            )
            unseen_s.extend(float(each[0]) for each in row)

    await start_worker([func(block, name="block", timeout=0.2, max_tries=1)], databases=[billing])
    [job_id] = await billing.journal.enqueue([NewJob("block", DEFAULT_QUEUE)])
    await eventually(lambda: unseen_s)
    assert unseen_s[0] > 0.8, "its lease was renewed all the time"
    await eventually(lambda: _ended(billing, job_id))


async def _ended(billing: DatabaseConnection, job_id: str) -> bool:
    return (await billing.reader.job_json(job_id))["state"] in ("failed", "succeeded")


async def test_a_heartbeat_whose_connection_breaks_goes_on(
    billing: DatabaseConnection, postgres: str, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.database_heartbeat.BEAT_S", 0.05)
    monkeypatch.setattr("arqlight.worker.heartbeat.BEAT_S", 0.05)
    await start_worker([add], databases=[billing])

    async def seen() -> Any:
        rows = await sql(postgres, "SELECT seen_at FROM arqlight_jobs.workers")
        return rows[0]["seen_at"] if rows else None

    for _ in range(3):
        before = await eventually(seen)
        with pytest.raises(asyncpg.PostgresError):
            await sql(postgres, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IS NOT NULL")

        async def seen_later(before: Any = before) -> bool:
            return bool(await seen() > before)

        await eventually(seen_later)


async def test_a_database_that_lost_its_data_goes_on_without_a_restart(
    billing: DatabaseConnection, postgres: str, start_worker: StartWorker
) -> None:
    """As one that was made anew, or that another was put in the place of."""
    await start_worker([add], databases=[billing])
    [job_id] = await billing.journal.enqueue([NewJob("add", DEFAULT_QUEUE, (1,))])
    await shown(billing, job_id, "succeeded")
    await empty_schema(postgres)

    async def taken() -> list[str]:
        try:
            return await billing.journal.enqueue([NewJob("add", DEFAULT_QUEUE, (2,))])
        except Unusable:
            return []

    [job_id] = await eventually(taken)
    await shown(billing, job_id, "succeeded", within_s=30)
    assert await billing.reader.workers()
