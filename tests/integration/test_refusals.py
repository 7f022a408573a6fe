"""A server that refuses: what may pass is waited out, what will not is a failure with the reason."""

import asyncio
from typing import Any

import pytest
from arq import Retry, func
from arq.connections import ArqRedis
from redis.exceptions import ConnectionError, ResponseError

from arqlight.journal.dedicated_connection import DedicatedConnection
from arqlight.journal.reader import Reader
from arqlight.worker.worker import Worker
from tests.conftest import StartWorker
from tests.support.job_states import reaches
from tests.support.waiting import eventually


async def _ends(reader: Reader, job_id: str, state: str) -> Any:
    return await reaches(reader, job_id, state, within_s=30)


async def ok(ctx: dict[str, Any]) -> None:
    pass


async def large(ctx: dict[str, Any]) -> bytes:
    return b"x" * 3_000_000


async def odd_words(ctx: dict[str, Any]) -> None:
    raise ValueError("NUL \0 and half a pair \ud800")


async def asks_again(ctx: dict[str, Any]) -> None:
    if ctx["job_try"] == 1:
        raise Retry(defer=0)


TASKS = [func(each, name=each.__name__) for each in (ok, large, odd_words, asks_again)]


async def test_a_result_that_the_server_does_not_take_is_a_failure_that_says_so(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    await pool.config_set("proto-max-bulk-len", 1_048_576)
    try:
        await start_worker(TASKS)
        for name in ("ok", "large"):
            await pool.enqueue_job(name, _job_id=name)
        told = await _ends(reader, "large", "failed")
        assert (told["error"], told["attempts"]) == ("EndingRefused", 1)
        assert "3,000," in told["message"]
        await _ends(reader, "ok", "succeeded")
    finally:
        await pool.config_set("proto-max-bulk-len", 512 * 1_048_576)


# What a refusal begins with, as Valkey and Redis write them (src/server.c, `shared`).
PASSING = ["BUSY Valkey is busy running a script", "OOM command not allowed", "READONLY You can't write",
           "LOADING Valkey is loading", "MISCONF cannot save", "NOREPLICAS Not enough", "CLUSTERDOWN Hash slot",
           "MASTERDOWN Link with MASTER", "TRYAGAIN Multiple keys"]  # fmt: skip
LASTING = ["WRONGTYPE Operation against a key", "ERR user_script: out of luck", "NOPERM no permissions"]


def _refuse(monkeypatch: pytest.MonkeyPatch, worker: Worker, line: int, refusal: Exception, times: int) -> list[int]:
    """The next calls on one of the worker's connections that carry jobs are refused by the server."""
    call = DedicatedConnection.call
    refused: list[int] = []

    async def refusing(self: DedicatedConnection, *command: Any, **rest: Any) -> Any:
        if self is worker._lines[line] and command[0] == "EVALSHA" and len(refused) < times:
            refused.append(1)
            raise refusal
        return await call(self, *command, **rest)

    monkeypatch.setattr(DedicatedConnection, "call", refusing)
    return refused


@pytest.mark.parametrize("words", PASSING)
async def test_a_refusal_that_may_pass_is_waited_out(words: str) -> None:
    from arqlight.connections.connection_errors import SERVER_AWAY
    from arqlight.journal.dedicated_connection import for_now

    assert isinstance(for_now(ResponseError(words)), SERVER_AWAY)


async def test_another_applications_slow_script_stops_no_worker_and_loses_no_ending(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader
) -> None:
    await pool.config_set("busy-reply-threshold", 50)
    may_end = asyncio.Event()

    async def wait(ctx: dict[str, Any]) -> str:
        await may_end.wait()
        return "done"

    try:
        worker = await start_worker([func(wait, name="wait"), *TASKS])
        await pool.enqueue_job("wait", _job_id="waits")
        await eventually(lambda: worker.tasks)
        slow: asyncio.Task[Any] = asyncio.create_task(
            pool.eval("local t = redis.call('TIME')[1] + 2 while redis.call('TIME')[1] + 0 < t do end return 1", 0)  # type: ignore[arg-type]
        )
        await asyncio.sleep(0.2)  # it runs
        may_end.set()
        with pytest.raises(ResponseError, match="BUSY"):
            await pool.get("anything")
        await slow
        await _ends(reader, "waits", "succeeded")
        await pool.enqueue_job("ok", _job_id="next")
        await _ends(reader, "next", "succeeded")
        assert (await reader.job_json("waits"))["attempts"] == 1
    finally:
        await pool.config_set("busy-reply-threshold", 5000)


@pytest.mark.parametrize("words", LASTING)
async def test_an_ending_that_is_refused_for_good_is_a_failure_with_the_reason_and_the_others_are_written(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    worker = await start_worker(TASKS)
    refused = _refuse(monkeypatch, worker, 1, ResponseError(words), times=2)  # the group, then the ending alone
    await pool.enqueue_job("ok", _job_id="refused")
    told = await _ends(reader, "refused", "failed")
    assert words in told["message"]
    assert len(refused) == 2
    await pool.enqueue_job("ok", _job_id="next")
    await _ends(reader, "next", "succeeded")


async def test_a_server_that_disconnects_at_the_same_bytes_again_and_again_has_refused_them(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.ack_buffer.FIRST_PAUSE_S", 0.01)
    worker = await start_worker(TASKS)
    _refuse(monkeypatch, worker, 1, ConnectionError("Connection reset by peer"), times=6)
    await pool.enqueue_job("ok", _job_id="refused")
    assert "closes the connection" in (await _ends(reader, "refused", "failed"))["message"]


async def test_a_fault_of_ours_in_writing_does_not_end_the_writing(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await start_worker(TASKS)
    _refuse(monkeypatch, worker, 1, UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), times=2)
    await pool.enqueue_job("ok", _job_id="refused")
    await _ends(reader, "refused", "failed")
    await pool.enqueue_job("asks_again", _job_id="next")
    await _ends(reader, "next", "succeeded")


async def test_any_text_in_a_failure_is_written(pool: ArqRedis, start_worker: StartWorker, reader: Reader) -> None:
    await start_worker(TASKS)
    await pool.enqueue_job("odd_words", _job_id="odd")
    told = await _ends(reader, "odd", "failed")
    assert told["message"] == "NUL \\x00 and half a pair ?"


@pytest.mark.parametrize("name", ["no\0such", "no such \ud800", "x" * 100_000, ""])
async def test_any_name_of_a_task_that_nobody_has_is_written(
    pool: ArqRedis, start_worker: StartWorker, reader: Reader, name: str
) -> None:
    await start_worker(TASKS)
    await pool.enqueue_job(name, _job_id="odd")
    assert (await _ends(reader, "odd", "failed"))["error"] == "JobExecutionFailed"
