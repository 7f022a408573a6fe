"""Whatever a task or a hook does, its job ends, once, and is counted."""

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import pytest
from arq import Retry, func
from arq.connections import ArqRedis
from arq.jobs import JobStatus
from arq.worker import FailedJobs

from arqlight.journal.reader import Reader
from arqlight.tasks import Backoff, task
from tests.conftest import StartWorker
from tests.support.job_states import reaches
from tests.support.waiting import eventually


def named(*functions: Any) -> list[Any]:
    """arq's functions under their own names: it would call them by their place in this file."""
    return [func(function, name=function.__name__) for function in functions]


async def _ends(reader: Reader, job_id: str, state: str = "failed") -> Any:
    return await reaches(reader, job_id, state)


async def test_a_task_that_raises_a_cancellation_of_its_own_is_out_of_tries_like_any_other(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    runs = 0

    async def cancels(ctx: dict[str, Any]) -> None:
        nonlocal runs
        runs += 1
        raise asyncio.CancelledError

    async def awaits_what_was_cancelled(ctx: dict[str, Any]) -> None:
        inner = asyncio.ensure_future(asyncio.sleep(60))
        inner.cancel()
        await inner

    async def cancels_itself(ctx: dict[str, Any]) -> None:
        current = asyncio.current_task()
        assert current
        current.cancel()
        await asyncio.sleep(60)

    await start_worker(named(cancels, awaits_what_was_cancelled, cancels_itself), max_tries=3)
    for name in ("cancels", "awaits_what_was_cancelled", "cancels_itself"):
        await pool.enqueue_job(name, _job_id=name)
        ended = await _ends(reader, name)
        assert (ended["attempts"], ended["error"]) == (3, "CancelledError"), ended
        assert [failure["attempt"] for failure in ended["failures"]] == [3, 2, 1]
    assert runs == 3


async def test_a_task_of_ours_that_times_out_is_tried_again_after_its_back_off(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    @task(tries=3, timeout_s=0.05, backoff=Backoff(first_s=0.01, longest_s=0.02))
    async def slow(ctx: dict[str, Any]) -> None:
        await asyncio.sleep(60)

    await start_worker([slow])
    await pool.enqueue_job("slow", _job_id="slow")
    ended = await _ends(reader, "slow")
    assert ended["attempts"] == 3
    assert {failure["error"] for failure in ended["failures"]} == {"TimeoutError"}


async def test_without_a_timeout_a_job_runs_as_long_as_it_takes(pool: ArqRedis, start_worker: StartWorker) -> None:
    async def slow(ctx: dict[str, Any]) -> str:
        await asyncio.sleep(0.2)
        return "done"

    await start_worker(named(slow), job_timeout=None)
    job = await pool.enqueue_job("slow")
    assert job
    assert await job.result(timeout=10, poll_delay=0.02) == "done"


async def test_a_task_that_swallows_the_cancellation_of_its_timeout_is_cancelled_again(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.attempt.CANCEL_AGAIN_S", 0.05)

    async def stubborn(ctx: dict[str, Any]) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)

    await start_worker([func(stubborn, name="stubborn", timeout=0.05, max_tries=1)])
    await pool.enqueue_job("stubborn", _job_id="stubborn")
    assert (await _ends(reader, "stubborn"))["error"] == "TimeoutError"


async def test_hooks_slower_than_the_timeout_change_nothing(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    runs = 0

    async def quick(ctx: dict[str, Any]) -> str:
        nonlocal runs
        runs += 1
        await asyncio.sleep(0.01)
        return "done"

    async def slow_hook(ctx: dict[str, Any]) -> None:
        await asyncio.sleep(0.3)

    await start_worker(
        [func(quick, name="quick", timeout=0.1)], on_job_start=slow_hook, on_job_end=slow_hook, after_job_end=slow_hook
    )
    job = await pool.enqueue_job("quick", _job_id="quick")
    assert job
    assert await job.result(timeout=10, poll_delay=0.02) == "done"
    assert (runs, (await _ends(reader, "quick", "succeeded"))["attempts"]) == (1, 1)


async def test_a_task_behind_a_slow_start_hook_has_its_whole_timeout_and_no_more(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    async def slow(ctx: dict[str, Any]) -> None:
        await asyncio.sleep(60)

    async def slow_hook(ctx: dict[str, Any]) -> None:
        await asyncio.sleep(0.2)

    await start_worker([func(slow, name="slow", timeout=0.1, max_tries=1)], on_job_start=slow_hook)
    await pool.enqueue_job("slow", _job_id="slow")
    assert (await _ends(reader, "slow"))["error"] == "TimeoutError"


def _raises(error: Callable[[], BaseException]) -> Callable[[dict[str, Any]], Any]:
    async def hook(ctx: dict[str, Any]) -> None:
        raise error()

    return hook


async def test_a_start_hook_that_is_cancelled_uses_up_the_tries(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    async def never(ctx: dict[str, Any]) -> None:
        raise AssertionError

    await start_worker(named(never), on_job_start=_raises(asyncio.CancelledError), max_tries=2)
    await pool.enqueue_job("never", _job_id="never")
    ended = await _ends(reader, "never")
    assert (ended["attempts"], ended["error"]) == (2, "CancelledError")


@pytest.mark.parametrize("hook", ["on_job_end", "after_job_end"])
@pytest.mark.parametrize("error", [asyncio.CancelledError, ValueError, Retry])
async def test_a_hook_that_comes_after_the_job_cannot_change_its_end(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader, hook: str, error: type[BaseException]
) -> None:
    async def quick(ctx: dict[str, Any]) -> None:
        pass

    worker = await start_worker(named(quick), **{hook: _raises(error)})
    await pool.enqueue_job("quick", _job_id="quick")
    assert (await _ends(reader, "quick", "succeeded"))["attempts"] == 1
    await eventually(lambda: not worker.tasks)
    assert (worker.jobs_complete, worker.jobs_retried, worker.jobs_failed) == (1, 0, 0)


@pytest.mark.parametrize("hook", ["on_job_end", "after_job_end"])
async def test_a_shutdown_during_a_hook_does_not_run_a_finished_job_again(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader, hook: str
) -> None:
    runs, is_in_hook = 0, asyncio.Event()

    async def quick(ctx: dict[str, Any]) -> None:
        nonlocal runs
        runs += 1

    async def slow_hook(ctx: dict[str, Any]) -> None:
        is_in_hook.set()
        await asyncio.sleep(60)

    worker = await start_worker(named(quick), **{hook: slow_hook})
    await pool.enqueue_job("quick", _job_id="quick")
    await is_in_hook.wait()
    worker.handle_sig(signal.SIGUSR1)
    await worker.close()
    assert runs == 1
    assert (await reader.job_json("quick"))["state"] == "succeeded"
    assert not await pool.zcard("arq:queue")


async def test_one_shutdown_of_a_job_goes_uncounted_and_not_two_in_a_row(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    began = asyncio.Event()

    async def long(ctx: dict[str, Any]) -> None:
        began.set()
        await asyncio.sleep(60)

    await pool.enqueue_job("long", _job_id="long")
    attempts = []
    for _ in range(4):
        began.clear()
        worker = await start_worker(named(long))
        await began.wait()
        worker.handle_sig(signal.SIGUSR1)
        await worker.close()
        attempts.append((await reader.job_json("long"))["attempts"])
    assert attempts == [0, 1, 1, 2]


async def test_a_job_that_asks_to_run_again_while_hooks_of_its_last_attempt_run_keeps_its_slot_and_stops(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    running, most = 0, 0

    async def again(ctx: dict[str, Any]) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        raise Retry(defer=0)

    async def slow_hook(ctx: dict[str, Any]) -> None:
        nonlocal running
        await asyncio.sleep(0.1)
        running -= 1

    worker = await start_worker(named(again), max_jobs=2, max_tries=20, after_job_end=slow_hook)
    await pool.enqueue_job("again", _job_id="again")
    await _ends(reader, "again")
    await eventually(lambda: not worker.tasks)
    assert most <= 2
    assert (worker.jobs_retried, worker.jobs_failed) == (19, 1)


async def test_an_abort_that_a_task_swallowed_does_not_reach_the_next_job_of_its_id(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    is_running, may_end = asyncio.Event(), asyncio.Event()

    async def swallows(ctx: dict[str, Any]) -> None:
        is_running.set()
        try:
            await may_end.wait()
        except asyncio.CancelledError:
            await may_end.wait()

    worker = await start_worker([func(swallows, name="swallows", keep_result=0)])
    job = await pool.enqueue_job("swallows", _job_id="one")
    assert job
    await is_running.wait()
    with pytest.raises(asyncio.TimeoutError):
        await job.abort(timeout=0.3)
    may_end.set()
    await _ends(reader, "one", "succeeded")
    is_running.clear()
    may_end.clear()
    await pool.enqueue_job("swallows", _job_id="one")
    await is_running.wait()
    worker.handle_sig(signal.SIGUSR1)
    may_end.set()
    await worker.close()
    assert (await reader.job_json("one"))["state"] in ("succeeded", "queued")


async def test_a_burst_counts_each_job_once(pool: ArqRedis, start_worker: StartWorker) -> None:
    async def add(ctx: dict[str, Any], number: int) -> None:
        if number == 3:
            raise ValueError(number)
        if number == 4 and ctx["job_try"] == 1:
            raise Retry(defer=0)

    for number in range(6):
        await pool.enqueue_job("add", number, _job_id=str(number))
    worker = await start_worker(named(add), burst=True, max_burst_jobs=3)
    await eventually(lambda: worker.main_task and worker.main_task.done())
    assert worker.jobs_complete == 3
    assert await pool.zcard("arq:queue") == 3
    rest = await start_worker(named(add), burst=True)
    await eventually(lambda: rest.main_task and rest.main_task.done())
    assert (rest.jobs_complete, rest.jobs_failed, rest.jobs_retried) == (2, 1, 1)


async def test_run_check_raises_for_what_failed(pool: ArqRedis, start_worker: StartWorker, settings: Any) -> None:
    from arqlight.worker.worker import Worker

    async def bad(ctx: dict[str, Any]) -> None:
        raise ValueError

    await pool.enqueue_job("bad")
    worker = Worker(named(bad), redis_pool=pool, burst=True, handle_signals=False, settings=settings)
    with pytest.raises(FailedJobs) as raised:
        await worker.run_check()
    assert raised.value.count == 1


async def test_an_id_that_still_runs_is_taken_though_its_arguments_expired(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader, journal: Any
) -> None:
    from arqlight.errors import JobExists
    from arqlight.journal.journal import NewJob

    may_end = asyncio.Event()

    async def waits(ctx: dict[str, Any]) -> None:
        await may_end.wait()

    await start_worker([func(waits, name="waits", keep_result=0)])
    await pool.enqueue_job("waits", _job_id="one")
    await reaches(reader, "one", "processing")
    await pool.delete("arq:job:one")
    with pytest.raises(JobExists):
        await journal.enqueue([NewJob("waits", "arq:queue", id="one")])
    may_end.set()
    await _ends(reader, "one", "succeeded")
    job = await pool.enqueue_job("waits", _job_id="one")
    assert job
    await eventually(lambda: _is_gone(job))


async def _is_gone(job: Any) -> bool:
    return await job.status() is JobStatus.not_found


@pytest.mark.parametrize("place", ["on_job_start", "on_job_end", "after_job_end"])
async def test_a_hook_that_hangs_is_ended(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr("arqlight.worker.attempt.HOOK_S", 0.3)

    async def work(ctx: dict[str, Any]) -> None:
        pass

    async def hang(ctx: dict[str, Any]) -> None:
        if ctx["job_id"] == "hangs":
            await asyncio.sleep(600)

    await start_worker([func(work, name="work", timeout=0.2)], max_jobs=1, **{place: hang})
    for name in ("hangs", "last"):
        await pool.enqueue_job("work", _job_id=name)
    await reaches(reader, "last", "succeeded")
    ended = await reaches(reader, "hangs", "failed" if place == "on_job_start" else "succeeded")
    if place == "on_job_start":
        assert ended["failures"][0]["message"] == "on_job_start ran longer than 0.3 s"


class Own(BaseException):
    pass


class Hostile(Exception):
    """Whatever is looked at, raises."""

    def __str__(self) -> str:
        raise SystemExit(1)

    def extra(self) -> None:
        raise SystemExit(1)


class Nameless(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise SystemExit(1)


class HostileName(BaseException, metaclass=Nameless):
    pass


class HostileResult:
    def __repr__(self) -> str:
        raise SystemExit(1)

    def __reduce__(self) -> str:
        raise Own


ANYTHING = {
    "own": Own(),
    "several": BaseExceptionGroup("several", [SystemExit(1), ValueError("one")]),
    "closed": GeneratorExit(),
    "exit": SystemExit(3),
    "interrupted": KeyboardInterrupt(),
    "hostile": Hostile(),
    "trace": type("HostileTrace", (Exception,), {"__traceback__": property(lambda error: 1 / 0)})(),
    "name": HostileName(),
    "interrupted inside": ExceptionGroup("inner", [asyncio.InvalidStateError()]),
}


@pytest.mark.parametrize("place", ["task", "on_job_start", "on_job_end", "after_job_end", "result"])
async def test_whatever_is_raised_the_job_ends_and_its_slot_is_free_again(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader, place: str
) -> None:
    async def work(ctx: dict[str, Any], name: str) -> object:
        if place == "task" and name in ANYTHING:
            raise ANYTHING[name]
        return HostileResult() if place == "result" and name in ANYTHING else None

    async def hook(ctx: dict[str, Any]) -> None:
        if ctx["job_id"] in ANYTHING:
            raise ANYTHING[ctx["job_id"]]

    hooks = {place: hook} if place not in ("task", "result") else {}
    await start_worker([func(work, name="work")], max_jobs=1, **hooks)
    for name in (*ANYTHING, "last"):
        await pool.enqueue_job("work", name, _job_id=name)
    ends_well = place in ("on_job_end", "after_job_end")
    await reaches(reader, "last", "succeeded")
    for name in ANYTHING:
        await reaches(reader, name, "succeeded" if ends_well else "failed")
    assert not await pool.exists("arqlight:processing:arq:queue")
