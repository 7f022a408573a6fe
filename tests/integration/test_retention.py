"""Every list, stream, log and result has a bound, and a setting for it."""

from typing import Any

from arq import Retry, func
from arq.connections import ArqRedis

from arqlight.journal.journal import Journal, NewJob
from arqlight.settings import Settings
from tests.conftest import StartWorker
from tests.support.waiting import eventually


async def test_what_is_kept_of_jobs_is_held_to_what_is_set(
    pool: ArqRedis, settings: Settings, start_worker: StartWorker
) -> None:
    bounds = {"keep_succeeded": 4, "keep_failed": 3, "keep_events": 100, "keep_logs": 100, "keep_job_log": 5,
              "keep_attempts": 2}  # fmt: skip

    async def ok(ctx: dict[str, Any]) -> None:
        for number in range(20):
            ctx["log"].info("line %d", number)

    async def fails(ctx: dict[str, Any]) -> None:
        if ctx["job_try"] < 4:
            raise Retry(defer=0.01)
        raise ValueError("no")

    await start_worker(
        [func(ok, name="ok"), func(fails, name="fails")],
        settings=settings.changed(**bounds), max_tries=4, keep_result=1,
    )  # fmt: skip
    for number in range(30):
        await pool.enqueue_job("ok", _job_id=f"ok-{number}")
        await pool.enqueue_job("fails", _job_id=f"fails-{number}")

    async def all_over() -> bool:
        return not await pool.zcard("arq:queue")

    await eventually(all_over, within_s=30)

    async def is_bounded() -> bool:
        sizes = {
            "succeeded": await pool.zcard("arqlight:succeeded"),
            "failed": await pool.zcard("arqlight:failed"),
            "payloads": len(await pool.keys("arqlight:payload:*")),
            "histories": len(await pool.keys("arqlight:history:*")),
            "attempts": max([await pool.llen(key) for key in await pool.keys("arqlight:history:*")] or [0]),  # type: ignore[misc]
            "job logs": max([await pool.llen(key) for key in await pool.keys("arqlight:log:*")] or [0]),  # type: ignore[misc]
            "logs of jobs": len(await pool.keys("arqlight:log:*")),
            "lines": await pool.hlen("arqlight:lines"),  # type: ignore[misc]
            "results": len(await pool.keys("arq:result:*")),
        }
        most = {"succeeded": 4, "failed": 3, "payloads": 3, "histories": 3, "attempts": 2, "job logs": 5,
                "logs of jobs": 7, "lines": 4,
                "results": 0}  # fmt: skip
        return all(sizes[name] <= most[name] for name in most)

    await eventually(is_bounded)
    assert await pool.xlen("arqlight:events") < 100 + 200  # cut by whole nodes of the stream
    assert await pool.xlen("arqlight:logs") < 100 + 200


async def test_whatever_has_no_bound_of_its_own_ends_by_itself(
    pool: ArqRedis, settings: Settings, start_worker: StartWorker
) -> None:
    """Keys that come with time, names and people expire; the others are indexes of what is bounded, or one each."""

    async def ok(ctx: dict[str, Any]) -> None:
        return

    await start_worker([func(ok, name="ok")], keep_result=60)
    await pool.enqueue_job("ok")
    await eventually(lambda: pool.zcard("arqlight:succeeded"))
    for prefix in ("arqlight:minute:", "arqlight:ten-minutes:", "arqlight:worker:", "arq:result:"):
        keys = await pool.keys(f"{prefix}*")
        assert keys, prefix
        for key in keys:
            assert await pool.ttl(key) > 0, key


async def test_progress_of_jobs_that_are_over_does_not_pile_up(pool: ArqRedis, journal: Journal) -> None:
    await journal.enqueue([NewJob("t", "arq:queue", id="runs")])
    await journal.claim("w", ["arq:queue"], 1, 60_000, False)
    await pool.set("arqlight:watched", "1")
    await pool.hset("arqlight:progress", mapping={f"over-{number}": "{}" for number in range(2_100)})  # type: ignore[misc]
    await journal.scripts.run("report", "runs", "{}")
    assert await pool.hkeys("arqlight:progress") == [b"runs"]  # type: ignore[misc]
