"""A queue for each customer: thousands of queues, most of them empty."""

import asyncio
import time
from typing import Any

import pytest
from arq import func
from arq.connections import ArqRedis

from arqlight.journal.journal import Journal, NewJob
from arqlight.journal.reader import Reader
from tests.conftest import StartWorker
from tests.support.job_states import succeeded
from tests.support.waiting import eventually

MANY = 2_000
ACTIVE = 100


def queue(number: int) -> str:
    return f"arq:queue:tenant-{number}"


async def _ok(ctx: dict[str, Any]) -> None:
    pass


async def _fill(pool: ArqRedis, journal: Journal) -> None:
    await journal.announce_queues([queue(number) for number in range(MANY)])
    await journal.enqueue([NewJob("t", queue(number)) for number in range(ACTIVE)])


async def test_the_overview_of_many_queues_looks_at_those_that_hold_jobs(
    pool: ArqRedis, journal: Journal, reader: Reader
) -> None:
    await _fill(pool, journal)
    await journal.find_active_queues()
    overview = await reader.overview()
    assert len(overview.queues) == ACTIVE
    assert sum(each.queued for each in overview.queues) == ACTIVE
    await pool.config_resetstat()
    await reader.overview()
    calls = sum(each["calls"] for each in (await pool.info("commandstats")).values())
    assert calls < 20 * ACTIVE


async def test_empty_queues_that_nobody_cares_for_are_forgotten_and_known_again_with_their_next_job(
    pool: ArqRedis, journal: Journal, start_worker: StartWorker, reader: Reader
) -> None:
    await _fill(pool, journal)
    await journal.announce_queues(["not-arqs-name"])
    await journal.pause(queue(MANY - 1), True)
    await start_worker([func(_ok, name="ok")], queues=[queue(MANY - 2)])
    await eventually(lambda: _knows(pool, journal, ACTIVE + 3))
    assert {"not-arqs-name", queue(MANY - 1), queue(MANY - 2)} <= set(await reader.known_queues())
    await journal.enqueue([NewJob("t", queue(MANY - 3))])
    assert queue(MANY - 3) in await reader.known_queues()
    assert sum(each.queued for each in (await reader.overview()).queues) == ACTIVE + 1


async def _knows(pool: ArqRedis, journal: Journal, number: int) -> bool:
    await pool.delete("arqlight:looked-for-queues")
    await journal.find_active_queues()
    return bool(await pool.scard("arqlight:queues") == number)  # type: ignore[misc]


async def test_what_is_counted_already_is_counted_on_when_new_names_find_no_room(
    pool: ArqRedis, journal: Journal
) -> None:
    await journal.enqueue([NewJob("t", "arq:queue")])
    await pool.hset("arqlight:totals", mapping={f"filler {number}": 1 for number in range(5_000)})  # type: ignore[misc]
    await journal.enqueue([NewJob("t", "arq:queue"), NewJob("t", "arq:queue:new")])
    assert await pool.hget("arqlight:totals", "enqueued arq:queue") == b"2"  # type: ignore[misc]
    assert not await pool.hexists("arqlight:totals", "enqueued arq:queue:new")  # type: ignore[misc]


async def test_sorted_sets_of_other_applications_wake_nobody(
    pool: ArqRedis, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.stager.LOOK_UP_S", 600)
    monkeypatch.setattr("arqlight.worker.heartbeat.BEAT_S", 600)
    monkeypatch.setattr("arqlight.worker.worker.SAFETY_POLL_S", 600)
    worker = await start_worker([func(_ok, name="ok")])
    await eventually(lambda: worker._heartbeat and worker._heartbeat.stager and worker._heartbeat.stager.is_waiting)
    await pool.config_resetstat()
    for number in range(200):
        await pool.zadd("leaderboard", {str(number): number})
    await asyncio.sleep(0.2)  # nothing is to happen in this time
    stats = await pool.info("commandstats")
    assert stats.get("cmdstat_evalsha", {"calls": 0})["calls"] <= 5
    began = time.monotonic()
    await pool.enqueue_job("ok", _job_id="one")
    await eventually(lambda: succeeded(pool, 1))
    assert time.monotonic() - began < 10


async def test_the_past_of_a_job_that_a_plain_arq_worker_may_end_goes_with_time(
    pool: ArqRedis, journal: Journal
) -> None:
    await journal.enqueue([NewJob("t", "arq:queue", id="one")])
    await journal.claim("w", ["arq:queue"], 1, 60_000, False)
    await pool.zadd("arqlight:workers", {"w": 1})
    await journal.rescue(asks_for_ms=0)
    for key in ("arqlight:job:one", "arqlight:history:one"):
        assert await pool.ttl(key) > 29 * 86_400
