"""Queues: pause, resume, empty, and what was counted of them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp.test_utils import TestClient, TestServer
from arq import func
from arq.connections import ArqRedis

from arqlight.journal.counters import read_chart, read_rates
from arqlight.journal.journal import Journal, NewJob
from arqlight.journal.keys import KEYS
from arqlight.journal.reader import Reader
from arqlight.settings import Settings
from arqlight_service.app import create_app
from tests.conftest import Client, StartWorker
from tests.support.waiting import eventually

HIGH = "arq:queue:high"


async def ok(ctx: dict[str, Any]) -> None:
    pass


async def sleep(ctx: dict[str, Any]) -> None:
    await asyncio.sleep(60)


async def test_a_paused_queue_gives_nothing_to_any_worker_until_it_is_resumed(
    pool: ArqRedis, journal: Journal, reader: Reader, client: Client, start_worker: StartWorker
) -> None:
    for _ in range(3):
        await start_worker([ok], queues=[HIGH, "arq:queue"])
    assert (await client.post("/api/v1/queues/high/pause")).status == 200
    await journal.enqueue([NewJob("ok", HIGH, id=f"h{n}") for n in range(5)] + [NewJob("ok", "arq:queue", id="d")])
    await pool.enqueue_job("ok", _queue_name=HIGH, _job_id="plain")
    await eventually(lambda: pool.zscore(KEYS["succeeded"], "d"))
    stats = await (await client.get("/api/v1/stats")).json()
    assert (stats["queued"], stats["processing"]) == (6, 0)
    [queue] = [each for each in (await reader.overview()).queues if each.key == HIGH]
    assert (queue.paused, queue.queued) == (True, 6)
    begun = asyncio.get_running_loop().time()
    assert (await client.post("/api/v1/queues/high/resume")).status == 200

    async def all_ran() -> bool:
        return bool(await pool.zcard(KEYS["succeeded"]) == 7)

    await eventually(all_ran)
    assert asyncio.get_running_loop().time() - begun < 1
    audit = (await (await client.get("/api/v1/audit")).json())["items"]
    assert [(entry["what"], entry["from"], entry["to"]) for entry in audit] == [
        ("queue high", "paused", "running"), ("queue high", "running", "paused"),
    ]  # fmt: skip


async def test_a_pause_takes_hold_while_workers_are_at_full_speed(
    pool: ArqRedis, journal: Journal, client: Client, start_worker: StartWorker
) -> None:
    await start_worker([ok], queues=[HIGH], max_jobs=10)
    await journal.enqueue([NewJob("ok", HIGH) for _ in range(20_000)])
    await eventually(lambda: pool.zcard(KEYS["succeeded"]))
    await client.post("/api/v1/queues/high/pause")

    async def nothing_runs() -> bool:
        return not await pool.zcard(KEYS["processing"] + HIGH)

    await eventually(nothing_runs, within_s=1)
    left = await pool.zcard(HIGH)
    assert 0 < left < 20_000
    await asyncio.sleep(0.1)
    assert await pool.zcard(HIGH) == left


async def test_emptying_wants_the_name_typed_and_leaves_what_runs(
    pool: ArqRedis, journal: Journal, client: Client, start_worker: StartWorker
) -> None:
    await start_worker([func(sleep, name="sleep")], queues=[HIGH], max_jobs=2)
    await journal.enqueue([NewJob("sleep", HIGH, id=f"s{n}") for n in range(700)])
    await journal.enqueue([NewJob("sleep", HIGH, id="later", delay_ms=60_000)])
    await eventually(lambda: _running(pool, 2))
    for body in ({"confirm": "hihg"}, {"confirm": ""}, {}):
        answer = await client.post("/api/v1/queues/high/empty", json=body)
        assert (answer.status, (await answer.json())["field"]) == (422, "confirm")
    assert await pool.zcard(HIGH) == 701
    answer = await client.post("/api/v1/queues/high/empty", json={"confirm": "high"})
    assert answer.status == 202

    async def emptied() -> bool:
        return bool(await pool.zcard(HIGH) == 2)

    await eventually(emptied)
    assert len(await pool.keys("arq:job:*")) == 2
    assert (await client.post("/api/v1/queues/nowhere/empty", json={"confirm": "nowhere"})).status == 404


async def _running(pool: ArqRedis, number: int) -> bool:
    return bool(await pool.zcard(KEYS["processing"] + HIGH) == number)


async def test_what_ended_and_how_long_it_took_is_counted_by_queue(
    pool: ArqRedis, journal: Journal, client: Client, start_worker: StartWorker
) -> None:
    async def naps(ctx: dict[str, Any]) -> None:
        await asyncio.sleep(0.05)

    async def fails(ctx: dict[str, Any]) -> None:
        raise ValueError("no")

    await start_worker([func(naps, name="naps"), func(fails, name="fails")], queues=[HIGH, "arq:queue"], max_jobs=50)
    await journal.enqueue([NewJob("naps", HIGH) for _ in range(40)] + [NewJob("fails", "arq:queue") for _ in range(10)])

    async def counted() -> bool:
        points = (await read_chart(pool, "hour"))["points"]
        return (sum(p["succeeded"] for p in points), sum(p["failed"] for p in points)) == (40, 10)

    await eventually(counted)
    high = [p for p in (await read_chart(pool, "hour", HIGH))["points"] if p["succeeded"]]
    assert sum(p["succeeded"] for p in high) == 40
    assert sum(p["failed"] for p in high) == 0
    assert all(40 <= p["run_p50_ms"] <= 120 for p in high)
    for span, points in (("day", 144), ("week", 168)):
        chart = await (await client.get(f"/api/v1/charts?span={span}")).json()
        assert len(chart["points"]) == points
        assert sum(p["succeeded"] for p in chart["points"]) == 40
    rates = await read_rates(pool)
    assert (rates[HIGH]["succeeded"], rates["arq:queue"]["failed"]) == (40, 10)
    for key in [*await pool.keys(KEYS["minute"] + "*"), *await pool.keys(KEYS["ten_minutes"] + "*")]:
        assert await pool.ttl(key) > 0, "counters go by themselves"
    assert (await client.get("/api/v1/charts?span=year")).status == 400


async def test_a_queue_of_a_plain_arq_client_is_found_by_its_jobs_whatever_it_is_called(
    pool: ArqRedis, settings: Settings
) -> None:
    await pool.enqueue_job("ok", _queue_name="there before")
    await pool.zadd("leaderboard", {"someone": 7})
    async with TestClient(TestServer(create_app(settings))) as client:

        async def seen() -> dict[str, int]:
            stats = await (await client.get("/api/v1/stats")).json()
            return {lane["queue"]: lane["queued"] for lane in stats["lanes"]}

        await eventually(lambda: _holds(seen, {"there before": 1}))
        await pool.zadd("leaderboard", {"another": 8})
        await pool.enqueue_job("ok", _queue_name="lonely")
        await eventually(lambda: _holds(seen, {"there before": 1, "lonely": 1}))
        job = await pool.enqueue_job("ok", _queue_name="lonely")
        assert job is not None
        await pool.zadd("arq:abort", {job.job_id: 1})  # as arq's abort does: its members are jobs, too
        await pool.enqueue_job("ok", _queue_name="another")
        await eventually(lambda: _holds(seen, {"lonely": 2, "another": 1}))
        assert not {"leaderboard", "arq:abort"} & set(await seen())


async def _holds(seen: Callable[[], Awaitable[dict[str, int]]], wanted: dict[str, int]) -> bool:
    return wanted.items() <= (await seen()).items()
