"""The worker runs arq tasks as arq does, and writes down what happened."""

import asyncio
import json
import pickle
import time
from typing import Any

import msgpack
import pytest
from arq import Retry, cron, func
from arq.connections import ArqRedis
from arq.jobs import JobStatus, ResultNotFound, SerializationError
from arq.worker import JobExecutionFailed

from arqlight.errors import PermanentFailure
from arqlight.jobs.failure import LONGEST_TRACE
from arqlight.jobs.names import shown_name
from arqlight.journal.journal import Journal
from arqlight.journal.reader import Reader
from arqlight.tasks import Backoff, task
from tests.conftest import StartWorker
from tests.support.waiting import eventually


async def add(ctx: dict[str, Any], a: int, b: int = 1) -> int:
    return a + b


async def fail(ctx: dict[str, Any], text: str = "no luck") -> None:
    raise ValueError(text)


async def sleep(ctx: dict[str, Any], seconds: float = 60) -> None:
    await asyncio.sleep(seconds)


async def test_a_plain_arq_client_gets_the_result_of_a_job(pool: ArqRedis, start_worker: StartWorker) -> None:
    await start_worker([add])
    job = await pool.enqueue_job("add", 1, b=2)
    assert job
    assert await job.result(timeout=5, poll_delay=0.01) == 3
    assert await job.status() is JobStatus.complete
    info = await job.result_info()
    assert info
    assert (info.job_try, info.success, info.queue_name, info.args) == (1, True, "arq:queue", (1,))


async def test_a_job_that_raises_is_failed_with_its_whole_trace_and_its_bytes(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    await start_worker([fail])
    job = await pool.enqueue_job("fail", "<b>markup</b>")
    assert job
    payload = await pool.get(f"arq:job:{job.job_id}")
    with pytest.raises(ValueError, match="markup"):
        await job.result(timeout=5, poll_delay=0.01)
    [failed], _ = await reader.failed()
    assert (failed["id"], failed["error"], failed["message"]) == (job.job_id, "ValueError", "<b>markup</b>")
    assert failed["attempts"] == 1
    assert failed["trace"].startswith("Traceback (most recent call last):")
    assert "in fail\n    raise ValueError(text)" in failed["trace"]
    assert "worker/attempt.py" not in failed["trace"]
    assert await pool.get(f"arqlight:payload:{job.job_id}") == payload
    assert not await pool.exists(f"arq:job:{job.job_id}", f"arq:retry:{job.job_id}", f"arq:in-progress:{job.job_id}")


async def test_queues_are_served_by_priority(pool: ArqRedis, start_worker: StartWorker, reader: Reader) -> None:
    order: list[str] = []

    async def note(ctx: dict[str, Any], lane: str) -> None:
        order.append(lane)

    for lane in ("emails", "default", "high"):
        key = "arq:queue" if lane == "default" else f"arq:queue:{lane}"
        for _ in range(3):
            await pool.enqueue_job("note", lane, _queue_name=key)
    keys = ["arq:queue:high", "arq:queue", "arq:queue:emails"]
    await start_worker([func(note, name="note")], queues=keys, max_jobs=1)
    await eventually(lambda: len(order) == 9)
    assert order == ["high"] * 3 + ["default"] * 3 + ["emails"] * 3


async def test_retry_defers_and_each_attempt_keeps_the_failure_behind_it(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    async def third_time(ctx: dict[str, Any]) -> int:
        if ctx["job_try"] < 3:
            try:
                raise ConnectionError(f"refused {ctx['job_try']}")
            except ConnectionError as error:
                raise Retry(defer=0.05) from error
        return int(ctx["job_try"])

    await start_worker([func(third_time, name="third_time")])
    job = await pool.enqueue_job("third_time")
    assert job
    assert await job.result(timeout=5, poll_delay=0.01) == 3
    shown = await reader.job_json(job.job_id)
    assert [(f["attempt"], f["error"], f["message"]) for f in shown["failures"]] == [
        (2, "ConnectionError", "refused 2"),
        (1, "ConnectionError", "refused 1"),
    ]
    assert [(s["what"], s["attempt"]) for s in shown["timeline"]] == [
        ("created", None), ("started", 1), ("failed", 1), ("started", 2), ("failed", 2), ("started", 3),
        ("succeeded", None),
    ]  # fmt: skip


async def test_a_job_out_of_tries_fails_with_the_failure_that_used_them_up(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    async def never(ctx: dict[str, Any]) -> None:
        raise Retry from KeyError("gone")

    await start_worker([func(never, name="never", max_tries=2)])
    job = await pool.enqueue_job("never")
    assert job
    with pytest.raises(JobExecutionFailed, match="max 2 retries exceeded"):
        await job.result(timeout=5, poll_delay=0.01)
    [failed], _ = await reader.failed()
    assert (failed["error"], failed["message"], failed["attempts"]) == ("KeyError", "'gone'", 2)
    assert len((await reader.job_json(job.job_id))["failures"]) == 2


async def test_a_job_past_its_timeout_fails_and_says_so(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    await start_worker([func(sleep, name="sleep", timeout=0.05)])
    job = await pool.enqueue_job("sleep")
    assert job
    with pytest.raises(TimeoutError):
        await job.result(timeout=5, poll_delay=0.01)
    [failed], _ = await reader.failed()
    assert (failed["error"], failed["message"]) == ("TimeoutError", "ran longer than its timeout of 0.05 s")


async def test_a_deferred_job_is_scheduled_until_it_is_due(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    await start_worker([add])
    job = await pool.enqueue_job("add", 1, _defer_by=0.4)
    assert job
    stats = (await reader.overview()).stats()
    assert (stats["queued"], stats["processing"]) == (0, 0)
    assert (await reader.job_json(job.job_id))["state"] == "scheduled"
    began = time.monotonic()
    assert await job.result(timeout=5, poll_delay=0.01) == 2
    # Found by its time, not by the next slow poll.
    assert time.monotonic() - began < 2


async def test_an_expired_job_fails_and_cannot_be_retried(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader, journal: Journal
) -> None:
    job = await pool.enqueue_job("add", 1, _expires=0.01)
    assert job
    await eventually(lambda: _gone(pool, f"arq:job:{job.job_id}"))
    await start_worker([add])
    with pytest.raises(JobExecutionFailed, match="job expired"):
        await job.result(timeout=5, poll_delay=0.01)
    [failed], _ = await reader.failed()
    assert "expiry" in failed["message"]
    with pytest.raises(Exception, match="arguments are gone; enqueue it anew"):
        await journal.retry(job.job_id)


async def _gone(pool: ArqRedis, key: str) -> bool:
    return not await pool.exists(key)


async def test_an_id_that_waits_is_not_enqueued_twice(pool: ArqRedis, start_worker: StartWorker) -> None:
    assert await pool.enqueue_job("add", 1, _job_id="once")
    assert await pool.enqueue_job("add", 1, _job_id="once") is None
    await start_worker([add])
    await eventually(lambda: pool.exists("arq:result:once"))
    assert await pool.enqueue_job("add", 1, _job_id="once") is None


async def test_arq_abort_stops_a_running_job_and_one_that_waits(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    await start_worker([sleep], max_jobs=1)
    running = await pool.enqueue_job("sleep")
    assert running
    await eventually(lambda: pool.exists(f"arq:in-progress:{running.job_id}"))
    waiting = await pool.enqueue_job("sleep")
    assert waiting
    assert await running.abort(timeout=5, poll_delay=0.01)
    await eventually(lambda: pool.exists(f"arq:in-progress:{waiting.job_id}"))
    assert await waiting.abort(timeout=5, poll_delay=0.01)
    for job in (running, waiting):
        assert (await reader.job_json(job.job_id))["state"] == "cancelled"


async def test_hooks_run_with_the_context_arq_gives_them(pool: ArqRedis, start_worker: StartWorker) -> None:
    seen: list[tuple[str, Any]] = []

    async def hook(name: str, ctx: dict[Any, Any]) -> None:
        seen.append((name, ctx.get("job_id")))

    def named(name: str) -> Any:
        async def run(ctx: dict[Any, Any]) -> None:
            await hook(name, ctx)

        return run

    names = ("on_startup", "on_job_start", "on_job_end", "after_job_end", "on_shutdown")
    worker = await start_worker([add], ctx={"mine": 1}, **{name: named(name) for name in names})
    job = await pool.enqueue_job("add", 1)
    assert job
    await job.result(timeout=5, poll_delay=0.01)
    await eventually(lambda: len(seen) == 4)
    await worker.close()
    assert seen == [
        ("on_startup", None), ("on_job_start", job.job_id), ("on_job_end", job.job_id), ("after_job_end", job.job_id),
        ("on_shutdown", None),
    ]  # fmt: skip
    assert worker.ctx["mine"] == 1


async def test_a_hook_that_raises_fails_its_job_and_not_the_worker(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    async def on_job_start(ctx: dict[Any, Any]) -> None:
        if ctx["job_try"] == 1 and ctx["job_id"] == "bad":
            raise RuntimeError("the hook is broken")

    async def after(ctx: dict[Any, Any]) -> None:
        raise RuntimeError("this one too")

    await start_worker([add], on_job_start=on_job_start, on_job_end=after, after_job_end=after)
    await pool.enqueue_job("add", 1, _job_id="bad")
    good = await pool.enqueue_job("add", 1)
    assert good
    assert await good.result(timeout=5, poll_delay=0.01) == 2
    await eventually(lambda: pool.zcard("arqlight:failed"))
    [failed], _ = await reader.failed()
    assert (failed["id"], failed["message"]) == ("bad", "the hook is broken")


async def test_a_result_that_cannot_be_serialized_is_a_failure_that_says_so(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    async def lock(ctx: dict[str, Any]) -> Any:
        return asyncio.Lock

    async def local(ctx: dict[str, Any]) -> Any:
        return lambda: 1

    await start_worker([func(local, name="local"), func(local, name="careless", keep_result=0)])
    job = await pool.enqueue_job("local")
    assert job
    with pytest.raises(SerializationError):
        await job.result(timeout=5, poll_delay=0.01)
    [failed], _ = await reader.failed()
    assert failed["error"] == "SerializationError"
    assert "its result, a function, cannot be serialized" in failed["message"]
    kept_none = await pool.enqueue_job("careless")
    assert kept_none
    await eventually(lambda: _is(reader, kept_none.job_id, "succeeded"))


async def _is(reader: Reader, job_id: str, state: str) -> bool:
    return bool((await reader.job_json(job_id))["state"] == state)


async def test_jobs_that_cannot_run_fail_and_harm_no_other(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    await pool.enqueue_job("no_such_task", _job_id="unknown")
    await pool.set("arq:job:garbage", b"\x80\x04not a pickle")
    await pool.zadd("arq:queue", {"garbage": 1})
    await pool.set("arq:job:wrong", pickle.dumps(["a", "list"]))
    await pool.zadd("arq:queue", {"wrong": 2})
    odd = "odd \t id/ü?#%00<script>"
    await pool.enqueue_job("add", "x", _job_id=odd)
    good = await pool.enqueue_job("add", 1)
    assert good
    await start_worker([add])
    assert await good.result(timeout=5, poll_delay=0.01) == 2
    await eventually(lambda: _count(pool, "arqlight:failed", 4))
    failed = {job["id"]: job for job in (await reader.failed())[0]}
    assert failed["unknown"]["message"] == (
        "no living worker of queue 'default' has a task named 'no_such_task'; this one has add"
    )
    assert "do not decode" in failed["garbage"]["message"]
    assert "do not decode" in failed["wrong"]["message"]
    assert failed[shown_name(odd)]["error"] == "TypeError"


async def _count(pool: ArqRedis, key: str, number: int) -> bool:
    return bool(await pool.zcard(key) == number)


async def test_a_task_that_exits_or_breaks_its_own_error_only_fails(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    async def leave(ctx: dict[str, Any]) -> None:
        raise SystemExit(3)

    async def broken(ctx: dict[str, Any]) -> None:
        raise Broken

    async def recurse(ctx: dict[str, Any]) -> None:
        def again() -> None:
            again()

        again()

    async def surrogate(ctx: dict[str, Any]) -> None:
        raise ValueError("half \ud800 a character")

    async def huge(ctx: dict[str, Any]) -> None:
        raise ValueError("x" * 1_000_000)

    functions = [leave, broken, recurse, surrogate, huge]
    await start_worker([func(f, name=f.__name__) for f in functions])
    for function in functions:
        await pool.enqueue_job(function.__name__, _job_id=function.__name__)
    await eventually(lambda: _count(pool, "arqlight:failed", 5))
    failed = {job["id"]: job for job in (await reader.failed())[0]}
    assert failed["leave"]["error"] == "SystemExit"
    assert "cannot be made" in failed["broken"]["message"]
    assert "Previous line repeated" in failed["recurse"]["trace"]
    assert failed["surrogate"]["message"] == "half ? a character"
    assert len(failed["huge"]["trace"]) < LONGEST_TRACE + 200
    assert len(failed["huge"]["message"]) <= 2000


async def test_a_serializer_of_the_applications_own_is_used_throughout(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    def unpack(data: bytes) -> Any:
        return msgpack.unpackb(data, raw=False)

    pool.job_serializer, pool.job_deserializer = msgpack.packb, unpack
    await start_worker([add, fail], job_serializer=msgpack.packb, job_deserializer=unpack)
    job = await pool.enqueue_job("add", 2, b=3)
    assert job
    assert await job.result(timeout=5, poll_delay=0.01) == 5
    shown = await reader.job_json(job.job_id)
    assert (shown["task"], shown["state"]) == ("add", "succeeded")
    broken = await pool.enqueue_job("fail")
    assert broken
    await eventually(lambda: pool.zcard("arqlight:failed"))
    [failed], _ = await reader.failed()
    assert (failed["task"], failed["error"]) == ("fail", "ValueError")
    assert "cannot be shown" in failed["arguments_problem"]


async def test_cron_jobs_run_at_their_time_and_once(pool: ArqRedis, start_worker: StartWorker, reader: Reader) -> None:
    ran: list[str] = []

    async def often(ctx: dict[str, Any]) -> None:
        ran.append(ctx["job_id"])

    jobs = [cron(often, second=set(range(60)), name="often")]
    await start_worker([], cron_jobs=jobs)
    await start_worker([], cron_jobs=[cron(often, second=set(range(60)), name="often")])
    await eventually(lambda: len(ran) >= 3)
    assert len(set(ran)) == len(ran)
    jobs_seen, _ = await reader.jobs(state="succeeded")
    assert {job.task for job in jobs_seen} == {"often"}


async def test_a_small_read_limit_fills_every_slot_without_waiting_for_a_poll(
    pool: ArqRedis, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(redis: Any) -> bool:
        return False

    # With notifications a claim's own ZADD rings the bell and hides the wait.
    monkeypatch.setattr("arqlight.worker.worker.allow_notifications", refused)
    await pool.config_set("notify-keyspace-events", "")
    for _ in range(5):
        await pool.enqueue_job("sleep")
    await start_worker([sleep], max_jobs=10, queue_read_limit=1, poll_delay=600)
    await eventually(lambda: _count(pool, "arqlight:processing:arq:queue", 5), within_s=5)


async def test_burst_runs_everything_and_ends(pool: ArqRedis, start_worker: StartWorker) -> None:
    for number in range(25):
        await pool.enqueue_job("add", number)
    worker = await start_worker([add], burst=True, max_jobs=4)
    await eventually(lambda: worker.main_task and worker.main_task.done())
    assert worker.jobs_complete == 25
    assert await pool.zcard("arq:queue") == 0


async def test_stopping_a_worker_returns_its_jobs_uncounted(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    worker = await start_worker([sleep])
    job = await pool.enqueue_job("sleep")
    assert job
    await eventually(lambda: pool.exists(f"arq:in-progress:{job.job_id}"))
    await worker.close()
    shown = await reader.job_json(job.job_id)
    assert (shown["state"], shown["attempts"]) == ("queued", 0)
    assert [failure["error"] for failure in shown["failures"]] == ["WorkerStopped"]  # not counted, and not unseen
    assert (await reader.overview()).workers == 0
    assert not await pool.keys("arqlight:claimed:*")


async def test_decorated_tasks_back_off_and_give_up_at_once_on_a_permanent_failure(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    @task(queue="high", tries=3, backoff=Backoff(first_s=0.02, longest_s=0.02))
    async def flaky(ctx: dict[str, Any], last: int) -> int:
        if ctx["job_try"] < last:
            raise OSError("not yet")
        return int(ctx["job_try"])

    @task()
    async def hopeless(ctx: dict[str, Any]) -> None:
        raise PermanentFailure("never")

    assert flaky.queue == "arq:queue:high"
    await start_worker([flaky, hopeless])
    job = await pool.enqueue_job("flaky", 3)
    assert job
    assert await job.result(timeout=5, poll_delay=0.01) == 3
    await pool.enqueue_job("flaky", 9, _job_id="out of tries")
    await pool.enqueue_job("hopeless", _job_id="permanent")
    await eventually(lambda: _count(pool, "arqlight:failed", 2))
    failed = {job["id"]: job for job in (await reader.failed())[0]}
    assert (failed["out of tries"]["error"], failed["out of tries"]["attempts"]) == ("OSError", 3)
    assert (failed["permanent"]["error"], failed["permanent"]["attempts"]) == ("PermanentFailure", 1)


async def test_an_event_loop_that_a_task_blocks_keeps_its_lease(
    pool: ArqRedis, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch, journal: Journal
) -> None:
    monkeypatch.setattr("arqlight.journal.scripting.LEASE_MS", 600)
    monkeypatch.setattr("arqlight.worker.heartbeat.BEAT_S", 0.1)
    beats: list[float] = []

    async def block(ctx: dict[str, Any]) -> str:
        time.sleep(1.5)  # noqa: ASYNC251 - this is the fault under test
        import redis

        port = pool.connection_pool.connection_kwargs["port"]
        plain: Any = redis.Redis(port=port)
        [(_, lease)] = plain.zrange("arqlight:workers", 0, -1, withscores=True)
        beats.append(lease - time.time() * 1000)
        return "done"

    await start_worker([func(block, name="block")])
    job = await pool.enqueue_job("block")
    assert job
    assert await job.result(timeout=10, poll_delay=0.05) == "done"
    assert beats[0] > 0
    assert await journal.rescue(asks_for_ms=0) == 0


async def test_a_result_that_is_not_kept_is_not_found_as_in_arq(pool: ArqRedis, start_worker: StartWorker) -> None:
    await start_worker([func(add, name="add", keep_result=0)])
    job = await pool.enqueue_job("add", 1)
    assert job
    await eventually(lambda: pool.zcard("arqlight:succeeded"))
    with pytest.raises(ResultNotFound):
        await job.result(timeout=1, poll_delay=0.01)


async def test_a_worker_says_what_it_is(pool: ArqRedis, start_worker: StartWorker, reader: Reader) -> None:
    worker = await start_worker([add, sleep], max_jobs=7)
    [shown] = await eventually(reader.workers)
    assert (shown["id"], shown["queues"], shown["max_jobs"]) == (worker.id, ["default"], 7)
    assert shown["tasks"] == ["add", "sleep"]
    tasks = json.loads((await pool.hgetall("arqlight:tasks"))[b"add"])  # type: ignore[misc]
    assert tasks == {"queue": "arq:queue", "serializer": "pickle"}
