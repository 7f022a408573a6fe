"""The contract of a connection: every behaviour, on every driver."""

import asyncio
import base64
import contextlib
import json
from typing import Any

import pytest
from arq import Retry, func

from arqlight.connections.connection import Connection
from arqlight.errors import CursorInvalid, JobExists, JobNotCancellable, JobNotFound
from arqlight.jobs.filters import JobFilter
from arqlight.jobs.job import STATES
from arqlight.jobs.queues import queue_key
from arqlight.journal.journal import NewJob
from tests.support.on_any_driver import QUEUE, Work, enqueue, shown
from tests.support.waiting import eventually

HIGH = queue_key("high")


async def add(ctx: dict[str, Any], left: int, right: int = 1) -> int:
    ctx["log"]("adding %d", left)
    ctx["progress"](1, 2, "numbers")
    return left + right


async def boom(ctx: dict[str, Any], text: str = "no") -> None:
    raise ValueError(f"{text} in attempt {ctx['job_try']}")


async def flaky(ctx: dict[str, Any]) -> int:
    if ctx["job_try"] < 3:
        raise Retry(defer=0.01)
    return int(ctx["job_try"])


async def sleep(ctx: dict[str, Any]) -> None:
    ctx["progress"](3, 10, "winks")
    await asyncio.sleep(600)


async def test_a_job_waits_runs_and_is_kept_with_its_result_and_its_log(connection: Connection, work: Work) -> None:
    job_id = await enqueue(connection, "add", 2, kwargs={"right": 3})
    waiting = await connection.reader.job_json(job_id)
    assert (waiting["state"], waiting["attempts"], waiting["args"], waiting["kwargs"]) == (
        "queued",
        0,
        [2],
        {"right": 3},
    )
    assert (waiting["connection"], waiting["driver"]) == ("here", connection.driver)
    await work(add)
    job = await shown(connection, job_id, "succeeded")
    assert (job["attempts"], job["result"], job["task"], job["queue"]) == (1, 5, "add", "default")
    assert job["worker"]
    assert job["created_at"] <= job["started_at"] <= job["finished_at"]
    await eventually(lambda: _log(connection, job_id))
    assert [step["what"] for step in job["timeline"]] == ["created", "started", "succeeded"]


async def _log(connection: Connection, job_id: str) -> bool:
    return [line["message"] for line in (await connection.reader.job_json(job_id))["log"]] == ["adding 2"]


async def test_a_failed_job_keeps_every_attempt_and_a_retry_begins_at_0(connection: Connection, work: Work) -> None:
    job_id = await enqueue(connection, "boom", "ouch")
    await work(func(boom, max_tries=1))
    job = await shown(connection, job_id, "failed")
    assert (job["error"], job["message"], job["attempts"], job["worker"] is not None) == (
        "ValueError", "ouch in attempt 1", 1, True,
    )  # fmt: skip
    [listed], following = await connection.reader.failed()
    assert following is None
    assert (listed["id"], listed["args"], listed["fingerprint"]) == (job_id, ["ouch"], job["fingerprint"])
    assert "raise ValueError" in listed["trace"]
    await connection.journal.retry(job_id)

    async def failed_again() -> Any:
        job = await connection.reader.job_json(job_id)
        return job if len(job["failures"]) == 2 and job["state"] == "failed" else None

    again = await eventually(failed_again)
    assert (again["attempts"], again["repeats"]) == (1, 2)
    assert "retried manually" in [step["what"] for step in again["timeline"]]


async def test_a_task_that_asks_for_it_runs_again_and_its_failures_stay(connection: Connection, work: Work) -> None:
    job_id = await enqueue(connection, "flaky")
    await work(flaky)
    job = await shown(connection, job_id, "succeeded")
    assert (job["attempts"], job["result"]) == (3, 3)
    assert [failure["attempt"] for failure in job["failures"]] == [2, 1]


async def test_a_failed_job_is_deleted_for_good(connection: Connection, work: Work) -> None:
    job_id = await enqueue(connection, "boom")
    await work(boom)
    await shown(connection, job_id, "failed")
    await connection.journal.delete(job_id)
    assert await connection.reader.failed() == ([], None)
    for gone in (connection.journal.delete(job_id), connection.journal.retry(job_id), connection.reader.job(job_id)):
        with pytest.raises(JobNotFound):
            await gone


async def test_a_retry_or_delete_leaves_a_job_alone_that_failed_later(connection: Connection, work: Work) -> None:
    job_id = await enqueue(connection, "boom")
    await work(boom)
    await shown(connection, job_id, "failed")
    for act in (connection.journal.retry, connection.journal.delete):
        with pytest.raises(JobNotFound):
            await act(job_id, 1_000)
    assert (await connection.reader.job_json(job_id))["state"] == "failed"


async def test_an_id_that_is_taken_is_refused_and_nothing_is_enqueued(connection: Connection) -> None:
    assert await enqueue(connection, "add", 1, id="mine/ü") == "mine/ü"
    with pytest.raises(JobExists) as refused:
        await connection.journal.enqueue([NewJob("add", QUEUE, (1,)), NewJob("add", QUEUE, (2,), id="mine/ü")])
    assert refused.value.ids == ["mine/ü"]
    assert (await connection.reader.overview()).stats()["queued"] == 1


async def test_a_waiting_job_is_cancelled_and_a_running_one_is_stopped(connection: Connection, work: Work) -> None:
    waiting = await enqueue(connection, "sleep", b"as it was", delay_ms=600_000)
    payload = await connection.reader.payload(waiting)
    assert await connection.journal.cancel(waiting, QUEUE, "sleep")
    cancelled = await connection.reader.job_json(waiting)
    assert (cancelled["state"], cancelled["args"]) == ("cancelled", ["<9 bytes>"])
    assert await connection.reader.payload(waiting) == payload
    with pytest.raises(JobNotCancellable):
        await connection.journal.cancel(waiting, QUEUE, "sleep")
    running = await enqueue(connection, "sleep")
    await work(sleep)
    await shown(connection, running, "processing")
    assert not await connection.journal.cancel(running, QUEUE, "sleep")
    await shown(connection, running, "cancelled")
    assert await connection.reader.payload(running)


async def test_counts_and_the_active_list_agree(connection: Connection, work: Work) -> None:
    running = await enqueue(connection, "sleep")
    await work(sleep, queues=[QUEUE])
    await shown(connection, running, "processing")
    later = await enqueue(connection, "sleep", delay_ms=600_000)
    waiting = [await enqueue(connection, "sleep", queue=HIGH) for _ in range(12)]
    overview = await connection.reader.overview()
    stats = overview.stats()
    assert [stats[name] for name in ("processing", "queued", "scheduled", "failed", "workers")] == [1, 12, 1, 0, 1]
    first, *others = [job.id for job in overview.active]
    assert first == running
    assert len(others) == 9
    assert set(others) < set(waiting)
    assert (await connection.reader.job_json(later))["state"] == "scheduled"
    lanes = {lane["queue"]: lane for lane in stats["lanes"]}
    assert (lanes["high"]["queued"], lanes["high"]["workers"], lanes["default"]["workers"]) == (12, 0, 1)
    assert lanes["high"]["oldest_at"] is not None


async def test_progress_shows_while_somebody_looks(connection: Connection, work: Work) -> None:
    await connection.stream.say_watched(60)
    job_id = await enqueue(connection, "sleep")
    await work(sleep)

    async def progress() -> Any:
        return (await connection.reader.job_json(job_id))["progress"]

    step = await eventually(progress)
    assert (step["done"], step["total"], step["what"]) == (3, 10, "winks")
    [active] = (await connection.reader.overview()).active
    assert active.progress is not None


async def test_a_paused_queue_gives_no_job_until_it_is_resumed(connection: Connection, work: Work) -> None:
    await enqueue(connection, "add", 1)
    assert await connection.journal.pause(QUEUE, True)
    assert not await connection.journal.pause(QUEUE, True)
    await work(add, queues=[QUEUE, HIGH])
    other = await enqueue(connection, "add", 2, queue=HIGH)
    await shown(connection, other, "succeeded")
    stats = (await connection.reader.overview()).stats()
    assert (stats["queued"], [lane["queue"] for lane in stats["lanes"] if lane["paused"]]) == (1, ["default"])
    assert await connection.journal.pause(QUEUE, False)
    await eventually(lambda: _queued(connection, 0))


async def _queued(connection: Connection, number: int) -> bool:
    return bool((await connection.reader.overview()).stats()["queued"] == number)


async def test_a_queue_is_emptied_of_what_waits(connection: Connection) -> None:
    for delay_ms in (0, 0, 600_000):
        await enqueue(connection, "add", 1, delay_ms=delay_ms)
    kept = await enqueue(connection, "add", 1, queue=HIGH)
    assert await connection.journal.empty(QUEUE, 2) == 2
    assert await connection.journal.empty(QUEUE, 5) == 1
    assert [job.id for job in (await connection.reader.jobs())[0]] == [kept]


async def test_lists_of_every_state_are_read_page_by_page(connection: Connection, work: Work) -> None:
    for number in range(7):
        await enqueue(connection, "boom", f"b{number}")
        await enqueue(connection, "add", number)
    await work(func(boom, max_tries=1), add)
    await eventually(lambda: _ended(connection, 14))
    for number in range(4):
        await enqueue(connection, "add", number, queue=HIGH)
        await enqueue(connection, "add", number, queue=HIGH, delay_ms=600_000 + number)
    everything: list[Any] = []
    cursor = None
    while True:
        jobs, cursor = await connection.reader.jobs(limit=3, cursor=cursor)
        assert len(jobs) <= 3
        everything += jobs
        if cursor is None:
            break
    assert len({job.id for job in everything}) == len(everything) == 22
    by_state = [job.state for job in everything]
    assert by_state == sorted(by_state, key=STATES.index)
    failed = [job for job in everything if job.state == "failed"]
    assert [job.finished_ms for job in failed] == sorted((job.finished_ms for job in failed), reverse=True)
    with pytest.raises(CursorInvalid):
        await connection.reader.jobs(cursor="nonsense")
    # What has the form of a cursor is no place, or a page: never an error of the server behind it.
    for place in (
        [0, 1e300, "x"],
        [0, -1e300, "5"],
        [0, 1, "x" * 5_000],
        [0, 1, str(10**30)],
        [0, 1, "9" * 5_000],
        [0, 1, "\0"],
    ):
        with contextlib.suppress(CursorInvalid):
            await connection.reader.jobs(
                cursor=base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")
            )


async def _ended(connection: Connection, number: int) -> bool:
    jobs, _ = await connection.reader.jobs(limit=200)
    return sum(job.state in ("failed", "succeeded") for job in jobs) == number


async def test_jobs_are_found_by_queue_task_text_and_cause(connection: Connection, work: Work) -> None:
    for text in ("apples", "pears"):
        await enqueue(connection, "boom", text)
    high = await enqueue(connection, "boom", "apples again", queue=HIGH)
    succeeded = await enqueue(connection, "add", 1)
    await work(func(boom, max_tries=1), add, queues=[QUEUE, HIGH])
    await eventually(lambda: _ended(connection, 4))

    async def count(**where: Any) -> int:
        return len((await connection.reader.failed(where=JobFilter(**where)))[0])

    assert await count() == 3
    assert await count(text="apples") == 2
    assert await count(queue=QUEUE if connection.driver == "redis" else "default") == 2
    assert await count(task="add") == 0
    assert [job.id for job in (await connection.reader.jobs(where=JobFilter(task="add")))[0]] == [succeeded]
    [group], total = await connection.reader.groups()
    assert (group["count"], group["task"], group["error"], total, sum(group["spark"])) == (
        3,
        "boom",
        "ValueError",
        1,
        3,
    )
    assert await count(fingerprint=group["fingerprint"]) == 3
    assert await count(fingerprint="another") == 0
    assert await connection.reader.count_failed(JobFilter(fingerprint=group["fingerprint"])) == 3
    [one] = await connection.reader.failed_by_id([high, succeeded, "nobody"])
    assert one["id"] == high


async def test_the_stream_tells_every_transition_in_order_and_goes_on_from_a_cursor(
    connection: Connection, work: Work
) -> None:
    start = await connection.stream.last_cursor()
    good, bad = await enqueue(connection, "add", 1), await enqueue(connection, "boom")
    await work(add, func(boom, max_tries=1))
    await shown(connection, bad, "failed")
    await shown(connection, good, "succeeded")

    async def all_told() -> Any:
        found = await connection.stream.after(start, 100)
        return found if len(found) == 6 else None

    found = await eventually(all_told)
    told = [(each.job, each.told["state"], each.told["attempt"]) for each in found]
    assert [each for each in told if each[0] == good] == [
        (good, "queued", 0),
        (good, "processing", 1),
        (good, "succeeded", 1),
    ]
    assert [each for each in told if each[0] == bad] == [(bad, "queued", 0), (bad, "processing", 1), (bad, "failed", 1)]
    assert {each.told["task"] for each in found} == {"add", "boom"}
    assert [each.touches_failed for each in found if each.told["state"] == "failed"] == [True]
    rest = await connection.stream.after(found[2].cursor, 100)
    assert [each.cursor for each in rest] == [each.cursor for each in found[3:]]
    assert await connection.stream.can_resume(found[0].cursor)
    assert not await connection.stream.can_resume("99999999999999-0")
    moment = found[0].cursor.partition("-")[0]
    assert not await connection.stream.can_resume(f"{moment}-777"), "the same place in another history"
    words = {each.told["state"] for each in found}
    later = await enqueue(connection, "add", 1, delay_ms=60_000)
    [scheduled] = await eventually(lambda: connection.stream.after(found[-1].cursor, 10))
    assert scheduled.told["state"] == (await shown(connection, later, "scheduled"))["state"]
    assert words == {"queued", "processing", "succeeded", "failed"}
    waiting = asyncio.create_task(connection.stream.wait(found[-1].cursor, 60_000))
    await asyncio.sleep(0)

    async def woken() -> bool:
        await enqueue(connection, "add", 1)
        return waiting.done()

    await eventually(woken)


async def test_workers_say_what_they_are_and_what_they_run(connection: Connection, work: Work) -> None:
    job_id = await enqueue(connection, "sleep")
    await work(sleep, add, queues=[QUEUE, HIGH])
    await shown(connection, job_id, "processing")
    [worker] = await connection.reader.workers()
    assert (worker["running"], worker["queues"], worker["tasks"]) == (1, ["default", "high"], ["add", "sleep"])
    assert [job["id"] for job in worker["jobs"]] == [job_id]
    assert worker["pid"]
    assert worker["memory_bytes"]
    tasks = await connection.reader.known_tasks()
    assert tasks["add"]["serializer"] == "pickle"


async def test_rates_count_what_ended(connection: Connection, work: Work) -> None:
    job_id = await enqueue(connection, "add", 1)
    await work(add)
    await shown(connection, job_id, "succeeded")
    [rate] = (await connection.reader.rates()).values()
    assert (rate["succeeded"], rate["failed"]) == (1, 0)
    assert rate["wait_p50_ms"] is not None
    assert rate["run_p95_ms"] is not None


async def test_a_worker_that_stops_gives_its_jobs_back_uncounted(connection: Connection, work: Work) -> None:
    began = asyncio.Event()

    async def long(ctx: dict[str, Any]) -> None:
        began.set()
        await asyncio.sleep(60)

    job_id = await enqueue(connection, "long")
    worker = await work(func(long, name="long"))
    await began.wait()
    await worker.close()
    job = await shown(connection, job_id, "queued")
    assert job["attempts"] == 0
    assert [failure["error"] for failure in job["failures"]] == ["WorkerStopped"]
    assert await connection.reader.workers() == []


async def test_a_task_that_runs_too_long_fails_with_its_timeout(connection: Connection, work: Work) -> None:
    job_id = await enqueue(connection, "sleep")
    await work(func(sleep, timeout=0.05, max_tries=1))
    job = await shown(connection, job_id, "failed")
    assert job["error"] == "TimeoutError"


async def test_a_connection_says_what_answers(connection: Connection) -> None:
    kind = "PostgreSQL 18" if connection.driver == "database" else "Valkey 9"
    assert (await connection.ping()).startswith(kind)
    assert "password" not in connection.address


async def test_a_job_that_is_called_off_while_it_runs_shows_no_result(connection: Connection, work: Work) -> None:
    await work(func(sleep, name="sleep"), allow_abort_jobs=True)
    job_id = await enqueue(connection, "sleep")
    await shown(connection, job_id, "processing")
    await connection.journal.cancel(job_id, QUEUE, "sleep")
    assert (await shown(connection, job_id, "cancelled"))["result"] is None


async def test_a_delay_beyond_all_time_is_the_longest_there_is(connection: Connection, work: Work) -> None:
    async def later(ctx: dict[str, Any]) -> None:
        raise Retry(defer=1e300)

    await work(func(later, name="later"))
    for job_id in (await enqueue(connection, "later"), await enqueue(connection, "later", delay_ms=10**300)):
        assert (await shown(connection, job_id, "scheduled"))["due_at"] >= "9998-"


async def test_queues_are_known_by_their_keys_from_their_first_job_on(connection: Connection) -> None:
    for queue in (QUEUE, HIGH):
        await enqueue(connection, "add", queue=queue)
    assert {QUEUE, HIGH} <= set(await connection.reader.known_queues())


async def test_the_ids_of_jobs_that_failed_or_were_cancelled_are_told_at_once(
    connection: Connection, work: Work
) -> None:
    for job_id in ("fails", "is cancelled", "ends", "waits"):
        delay_ms = 0 if job_id in ("fails", "ends") else 60_000
        await enqueue(connection, "boom" if job_id == "fails" else "add", 1, id=job_id, delay_ms=delay_ms)
    await connection.journal.cancel("is cancelled", QUEUE, "add")
    await work(add, func(boom, name="boom", max_tries=1))
    await shown(connection, "fails", "failed")
    await shown(connection, "ends", "succeeded")
    asked = ["waits", "ends", "is cancelled", "fails", "never was"]
    assert await connection.reader.kept(asked) == {"fails": "failed", "is cancelled": "cancelled"}
    assert await connection.reader.kept([]) == {}
