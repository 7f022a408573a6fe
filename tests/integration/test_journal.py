"""Every transition changes job, indexes and events together, on arq's own keys."""

import asyncio

import pytest
from arq.connections import ArqRedis
from redis.exceptions import WatchError

from arqlight.errors import CursorInvalid, JobExists, JobNotCancellable, JobNotFound, JobNotRetryable
from arqlight.jobs.failure import describe_failure
from arqlight.journal.journal import Claim, Ending, Journal, NewJob
from arqlight.journal.reader import Reader
from arqlight.settings import Settings
from tests.support.waiting import eventually

QUEUE = "arq:queue"


async def fail(journal: Journal, claim: Claim, error: Exception | None = None) -> None:
    """End a claimed job as failed."""
    failure = describe_failure(error or ValueError("no"), task="t", attempt=claim.attempt, worker="w", started_ms=1)
    await journal.commit("w", [Ending(claim, "t", claim.attempt, "failed", failure=failure)])


async def claim_all(journal: Journal, slots: int = 1000) -> list[Claim]:
    claims, _ = await journal.claim("w", [QUEUE], slots, 60_000, True)
    return claims


async def events(pool: ArqRedis) -> list[tuple[str, str]]:
    return [(fields[b"job"].decode(), fields[b"state"].decode()) for _, fields in await pool.xrange("arqlight:events")]


async def test_enqueue_is_all_or_nothing(journal: Journal, pool: ArqRedis, reader: Reader) -> None:
    await journal.enqueue([NewJob("t", QUEUE, id="a")])
    with pytest.raises(JobExists, match="'a'"):
        await journal.enqueue([NewJob("t", QUEUE, id="b"), NewJob("t", QUEUE, id="a")])
    with pytest.raises(JobExists, match="'c'"):
        await journal.enqueue([NewJob("t", QUEUE, id="c"), NewJob("t", QUEUE, id="c")])
    assert [job.job_id for job in await pool.queued_jobs()] == ["a"]
    assert await events(pool) == [("a", "queued")]


async def test_a_job_enqueued_by_us_is_an_arq_job(journal: Journal, pool: ArqRedis) -> None:
    [job_id] = await journal.enqueue([NewJob("t", QUEUE, (1, "two"), {"three": 3})])
    [job] = await pool.queued_jobs()
    assert (job.job_id, job.function, job.args, job.kwargs) == (job_id, "t", (1, "two"), {"three": 3})
    assert await pool.ttl(f"arq:job:{job_id}") == -1  # see test_arguments_live


async def test_claimed_jobs_leave_the_due_range_and_are_nobody_elses(
    journal: Journal, pool: ArqRedis, reader: Reader
) -> None:
    await journal.enqueue([NewJob("t", QUEUE, id=str(n)) for n in range(5)])
    assert len(await claim_all(journal, 3)) == 3
    assert len(await claim_all(journal)) == 2
    assert await claim_all(journal) == []
    stats = (await reader.overview()).stats()
    assert (stats["processing"], stats["queued"], stats["scheduled"]) == (5, 0, 0)


async def test_counts_lists_and_events_agree_after_every_transition(
    journal: Journal, pool: ArqRedis, reader: Reader
) -> None:
    await journal.enqueue([NewJob("t", QUEUE, id=str(n)) for n in range(4)])
    done, failed, again, left = await claim_all(journal)
    failure = describe_failure(OSError("x"), task="t", attempt=1, worker="w", started_ms=1)
    await journal.commit(
        "w",
        [
            Ending(done, "t", 1, "succeeded", b"result", 60_000),
            Ending(failed, "t", 1, "failed", failure=failure),
            Ending(again, "t", 1, "rescheduled", failure=failure, delay_ms=60_000),
        ],
    )
    stats = (await reader.overview()).stats()
    assert [stats[name] for name in ("processing", "queued", "scheduled", "failed")] == [1, 0, 1, 1]
    states = {job.id: job.state for job in (await reader.jobs())[0]}
    assert states == {done.id: "succeeded", failed.id: "failed", again.id: "scheduled", left.id: "processing"}
    assert (await events(pool))[-3:] == [(done.id, "succeeded"), (failed.id, "failed"), (again.id, "scheduled")]
    assert stats["cursor"] == (await pool.xrevrange("arqlight:events", count=1))[0][0].decode()
    assert set(await pool.zrange(QUEUE, 0, -1)) == {again.id.encode(), left.id.encode()}


async def test_retry_puts_the_same_bytes_back_unread_with_0_attempts(
    journal: Journal, pool: ArqRedis, reader: Reader
) -> None:
    hostile = b"cos\nsystem\n(S'exit 1'\ntR."
    await pool.set("arq:job:odd", hostile)
    await pool.zadd(QUEUE, {"odd": 1})
    await journal.announce_queues([QUEUE])
    [claim] = await claim_all(journal)
    await fail(journal, claim)
    assert (await reader.failed())[0][0]["arguments_problem"]
    await journal.retry("odd")
    assert await pool.get("arq:job:odd") == hostile
    shown = await reader.job_json("odd")
    assert (shown["state"], shown["attempts"]) == ("queued", 0)
    [claim] = await claim_all(journal)
    assert claim.attempt == 1
    assert claim.payload == hostile
    with pytest.raises(JobNotFound):
        await journal.retry("odd")


async def test_a_failure_that_repeats_after_retry_is_counted(journal: Journal, reader: Reader) -> None:
    await journal.enqueue([NewJob("t", QUEUE, id="x")])
    for expected, error in ((1, ValueError("a")), (2, ValueError("b")), (3, ValueError("c")), (1, KeyError("new"))):
        [claim] = await claim_all(journal)
        await fail(journal, claim, error)
        [shown] = (await reader.failed())[0]
        assert shown["repeats"] == expected
        await journal.retry("x")


async def test_delete_is_for_good(journal: Journal, pool: ArqRedis, reader: Reader) -> None:
    await journal.enqueue([NewJob("t", QUEUE, id="x")])
    [claim] = await claim_all(journal)
    await fail(journal, claim)
    await journal.delete("x")
    assert not [key for key in await pool.keys("*x") if key != b"arqlight:claimed:x"]
    with pytest.raises(JobNotFound):
        await journal.delete("x")
    with pytest.raises(JobNotFound):
        await reader.job("x")
    assert (await events(pool))[-1] == ("x", "deleted")


async def test_a_new_job_of_a_failed_ones_id_replaces_it(journal: Journal, pool: ArqRedis, reader: Reader) -> None:
    await journal.enqueue([NewJob("t", QUEUE, id="x")])
    [claim] = await claim_all(journal)
    await fail(journal, claim)
    await pool.enqueue_job("t", _job_id="x")
    with pytest.raises(JobNotRetryable, match="waits or runs already"):
        await journal.retry("x")
    [claim] = await eventually(lambda: claim_all(journal))
    assert claim.attempt == 1
    assert (await reader.overview()).failed == 0
    assert ("x", "deleted") in await events(pool)
    assert (await reader.job_json("x"))["failures"] == []


async def test_cancel_ends_a_waiting_job_as_arqs_abort_does(journal: Journal, pool: ArqRedis, reader: Reader) -> None:
    ours, theirs = (await journal.enqueue([NewJob("t", QUEUE, delay_ms=60_000)]))[0], await pool.enqueue_job("t")
    assert theirs
    for job_id in (ours, theirs.job_id):
        assert await journal.cancel(job_id, QUEUE, "t")
        assert (await reader.job_json(job_id))["state"] == "cancelled"
        with pytest.raises(JobNotCancellable):
            await journal.cancel(job_id, QUEUE, "t")
    with pytest.raises(asyncio.CancelledError):
        await theirs.result(timeout=1)
    assert await pool.zcard(QUEUE) == 0


async def test_the_task_of_a_plain_arq_clients_job_is_known_from_its_claim(
    journal: Journal, pool: ArqRedis, reader: Reader
) -> None:
    await pool.enqueue_job("some_task", 1, _job_try=2)
    # arq rounds its clock to the next millisecond at times: the job is due then, not before.
    await eventually(lambda: claim_all(journal))
    event = (await pool.xrevrange("arqlight:events", count=1))[0][1]
    assert event[b"task"] == b"some_task"


async def test_failed_jobs_are_paged_by_cursor_without_gap_or_repeat_also_at_one_instant(
    journal: Journal, pool: ArqRedis, reader: Reader
) -> None:
    await journal.enqueue([NewJob("t", QUEUE, id=f"{n:03}") for n in range(137)])
    for claim in await claim_all(journal):
        await fail(journal, claim)
    await pool.zadd("arqlight:failed", {f"{n:03}": 5000 for n in range(30, 90)})
    seen: list[str] = []
    cursor = None
    while True:
        items, cursor = await reader.failed(limit=10, cursor=cursor)
        seen += [item["id"] for item in items]
        if cursor is None:
            break
        # One that leaves meanwhile must not shift the pages.
        await journal.delete(items[0]["id"])
    assert len(seen) == len(set(seen)) == 137
    for nonsense in ("zzz", "!!", "bm9uc2Vuc2U", "WzAsMSwyXQ", "Wzk5LCAxLCAiYSJd"):
        with pytest.raises(CursorInvalid):
            await reader.failed(cursor=nonsense)


async def test_ended_jobs_are_kept_to_their_bound(pool: ArqRedis, settings: Settings) -> None:
    small = settings.changed(keep_succeeded=3, keep_failed=2, keep_events=100)
    journal = Journal(pool, small)
    await journal.enqueue([NewJob("t", QUEUE) for _ in range(20)])
    claims = await claim_all(journal)
    await journal.commit("w", [Ending(claim, "t", 1, "succeeded") for claim in claims[:10]])
    for claim in claims[10:]:
        await fail(journal, claim)
    assert await pool.zcard("arqlight:succeeded") == 3
    assert await pool.zcard("arqlight:failed") == 2
    assert len(await pool.keys("arqlight:job:*")) + await pool.hlen("arqlight:lines") == 5  # type: ignore[misc]
    assert len(await pool.keys("arqlight:payload:*")) == 2


async def test_scripts_that_the_server_forgot_are_sent_again(journal: Journal, pool: ArqRedis) -> None:
    await journal.enqueue([NewJob("t", QUEUE)])
    await pool.script_flush()
    assert len(await claim_all(journal)) == 1


async def test_a_job_is_due_the_moment_a_plain_arq_client_enqueued_it(journal: Journal, pool: ArqRedis) -> None:
    for number in range(200):
        # arq rounds the time to milliseconds: half of all moments are up to half a millisecond ahead.
        await pool.enqueue_job("ok", _job_id=f"job {number}")
        claims, _ = await journal.claim("w", [QUEUE], 1, 60_000, False)
        assert [claim.id for claim in claims] == [f"job {number}"]


async def test_a_plain_arq_worker_that_just_found_a_job_due_leaves_it_to_whoever_claims_it(
    journal: Journal, pool: ArqRedis
) -> None:
    job = await pool.enqueue_job("ok")
    assert job
    busy = f"arq:in-progress:{job.job_id}"
    async with pool.pipeline(transaction=True) as pipe:  # as arq.worker.Worker.start_jobs does it
        await pipe.watch(busy)
        assert not await pipe.exists(busy)
        await journal.claim("w", [QUEUE], 1, 60_000, False)
        pipe.multi()  # type: ignore[no-untyped-call]
        pipe.psetex(busy, 60_000, b"1")
        with pytest.raises(WatchError):
            await pipe.execute()


async def test_jobs_of_one_millisecond_are_read_page_by_page(pool: ArqRedis, journal: Journal, reader: Reader) -> None:
    ids = await journal.enqueue([NewJob("ok", QUEUE) for _ in range(6)])
    await pool.zadd(QUEUE, dict.fromkeys(ids, 1_000))
    found: list[str] = []
    cursor = None
    for _ in range(3):
        jobs, cursor = await reader.jobs(state="queued", limit=2, cursor=cursor)
        found += [job.id for job in jobs]
    assert sorted(found) == sorted(ids)
    assert cursor is None
