"""A job's arguments live until it has succeeded, or until a person deletes it."""

import asyncio
from typing import Any

from arq import Retry, func
from arq.connections import ArqRedis

from arqlight.journal.journal import Journal, NewJob
from arqlight.journal.reader import Reader
from tests.conftest import StartWorker
from tests.support.job_states import reaches
from tests.support.waiting import eventually

QUEUE = "arq:queue"
DAY_S = 86_400


async def _life(pool: ArqRedis, job_id: str) -> int:
    """Seconds that the arguments of a job still have; -1 for ever."""
    return int(await pool.ttl(f"arq:job:{job_id}"))


async def test_a_job_of_ours_expires_only_when_it_asked_to(pool: ArqRedis, journal: Journal) -> None:
    await journal.enqueue(
        [
            NewJob("t", QUEUE, id="plain"),
            NewJob("t", QUEUE, id="late", delay_ms=3_600_000),
            NewJob("t", QUEUE, id="asked", expires_ms=60_000),
            NewJob("t", QUEUE, id="asked and late", expires_ms=60_000, delay_ms=3_600_000),
        ]
    )
    assert [await _life(pool, each) for each in ("plain", "late")] == [-1, -1]
    assert 50 < await _life(pool, "asked") <= 60
    assert 3_650 < await _life(pool, "asked and late") <= 3_660


async def test_a_backlog_of_plain_clients_does_not_expire_by_itself(pool: ArqRedis, journal: Journal) -> None:
    await pool.enqueue_job("t", _job_id="plain")
    await pool.enqueue_job("t", _job_id="late", _defer_by=3600)
    await pool.enqueue_job("t", _job_id="asked", _expires=3600)
    await journal.announce_queues([QUEUE])
    assert await _life(pool, "plain") > 0
    await journal.preserve()
    assert [await _life(pool, each) for each in ("plain", "late")] == [-1, -1]
    assert await _life(pool, "asked") > 0


async def test_nothing_expires_in_a_queue_that_is_paused(pool: ArqRedis, journal: Journal) -> None:
    await pool.enqueue_job("t", _job_id="before", _expires=3600)
    await journal.announce_queues([QUEUE])
    await journal.pause(QUEUE, True)
    await journal.enqueue([NewJob("t", QUEUE, id="ours", expires_ms=60_000)])
    await pool.enqueue_job("t", _job_id="theirs", _expires=3600)
    await journal.preserve()
    assert [await _life(pool, each) for each in ("before", "ours", "theirs")] == [-1, -1, -1]


async def test_what_began_keeps_its_arguments_and_its_tries(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    async def put_off(ctx: dict[str, Any]) -> None:
        raise Retry(defer=2 * DAY_S)

    await start_worker([func(put_off, name="put_off")])
    await pool.enqueue_job("put_off", _job_id="one", _expires=3600)
    await reaches(reader, "one", "scheduled")
    assert await _life(pool, "one") == -1
    assert (await pool.get("arq:retry:one"), await pool.ttl("arq:retry:one")) == (b"1", -1)


async def test_what_failed_keeps_its_arguments_through_a_retry(
    pool: ArqRedis, start_worker: StartWorker, journal: Journal, reader: Reader
) -> None:
    async def bad(ctx: dict[str, Any]) -> None:
        raise ValueError

    worker = await start_worker([func(bad, name="bad")])
    await pool.enqueue_job("bad", _job_id="one", _expires=3600)
    await reaches(reader, "one", "failed")
    assert await pool.ttl("arqlight:payload:one") == -1
    assert await pool.exists("arq:result:one")
    await worker.close()
    await journal.retry("one")
    assert await _life(pool, "one") == -1
    assert not await pool.exists("arq:result:one", "arq:retry:one")


async def test_what_runs_keeps_its_arguments(pool: ArqRedis, start_worker: StartWorker) -> None:
    may_end = asyncio.Event()

    async def wait(ctx: dict[str, Any]) -> None:
        await may_end.wait()

    await start_worker([func(wait, name="wait")])
    await pool.enqueue_job("wait", _job_id="one", _expires=3600)
    await eventually(lambda: _lives_for_ever(pool, "one"))
    may_end.set()


async def _lives_for_ever(pool: ArqRedis, job_id: str) -> bool:
    return await _life(pool, job_id) == -1


async def test_what_a_dead_worker_left_keeps_its_arguments(pool: ArqRedis, journal: Journal) -> None:
    await pool.enqueue_job("t", _job_id="one", _expires=3600)
    await journal.claim("w", [QUEUE], 1, 60_000, False)
    await pool.zadd("arqlight:workers", {"w": 1})
    assert await journal.rescue(asks_for_ms=0) == 1
    assert await _life(pool, "one") == -1
    assert await pool.ttl("arq:retry:one") == -1
