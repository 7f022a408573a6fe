"""Plain arq, looked at and not touched: an application's own workers, a user that may only read."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgpack
import pytest
from aiohttp.test_utils import TestClient, TestServer
from arq.connections import ArqRedis, RedisSettings, create_pool
from playwright.async_api import Browser, expect

from arqlight.settings import Settings, load_settings
from arqlight_service.app import create_app
from tests.conftest import ROOT, Client
from tests.support.waiting import eventually

APP = "tests.support.apps.documented.WorkerSettings"
# What may be sent to a server that is only looked at: commands that Redis itself counts among those that read.
READS = {
    "scan", "zrange", "zrangebyscore", "zrevrangebyscore", "zcount", "zcard", "zscore", "exists", "get", "mget",
    "info", "select", "auth", "hello", "ping", "client|setinfo",
}  # fmt: skip


@pytest.fixture
async def watcher(pool: ArqRedis, settings: Settings) -> AsyncIterator[str]:
    """The address of a user that may read and nothing else."""
    await pool.acl_setuser(
        "watcher", enabled=True, passwords=["+only-looks"], keys=["*"], categories=["+@read"], commands=["+info"]
    )
    await pool.acl_log_reset()
    yield settings.resolved_redis_url().replace("redis://", "redis://watcher:only-looks@")
    await pool.acl_deluser("watcher")


@pytest.fixture
async def observer(watcher: str, settings: Settings) -> AsyncIterator[Client]:
    """A client of a service that only observes."""
    observing = load_settings(observe=watcher, data_dir=settings.data_dir)
    async with TestClient(TestServer(create_app(observing))) as client:
        yield client


@pytest.fixture
def plain_worker(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of plain arq, in a process of its own."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "arq", APP], cwd=ROOT, env=os.environ | {"APP_REDIS": str(settings.redis_url)},
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    yield worker
    if worker.poll() is None:
        worker.terminate()
        worker.wait(timeout=15)


async def _get(client: Client, path: str) -> Any:
    answer = await client.get(f"/api/v1/{path}")
    assert answer.status == 200, await answer.text()
    return await answer.json()


async def test_an_arq_application_is_seen_live_while_its_own_workers_run(
    pool: ArqRedis, observer: Client, plain_worker: subprocess.Popen[bytes]
) -> None:
    async with observer.ws_connect("/api/v1/feed", protocols=["arqlight.v1"]) as feed:
        await feed.send_json({"subscribe": ["counts", "active", "failed"], "since": None})
        seen: dict[str, list[Any]] = {"counts": [], "active": [], "failed": []}

        async def listen() -> None:
            async for message in feed:
                frame = message.json()
                seen[frame["topic"]].append(frame["data"])

        listening = asyncio.create_task(listen())
        await eventually(lambda: pool.exists("arq:queue:health-check"))
        slow = [await pool.enqueue_job("slow", 1.5) for _ in range(3)]
        failing = await pool.enqueue_job("explode")
        assert failing
        assert all(slow)
        running = {job.job_id for job in slow if job}
        await eventually(lambda: any(counts["processing"] == 3 for counts in seen["counts"]), within_s=5)
        await eventually(lambda: any({job["id"] for job in jobs} >= running for jobs in seen["active"]), within_s=5)
        told = await eventually(
            lambda: [job for change in seen["failed"] if isinstance(change, dict) for job in change["added"]],
            within_s=5,
        )
        assert (told[0]["id"], told[0]["error"], told[0]["message"]) == (failing.job_id, "RuntimeError", "boom")
        assert "arq keeps no stack trace" in told[0]["trace"]
        await eventually(lambda: seen["counts"][-1]["processing"] == 0, within_s=10)
        listening.cancel()
    [worker] = (await _get(observer, "workers"))["items"]
    assert worker["queues"] == ["default"]
    assert await pool.acl_log() == []


async def test_nothing_is_written_as_the_servers_own_statistics_show(
    pool: ArqRedis, observer: Client, plain_worker: subprocess.Popen[bytes]
) -> None:
    done = await pool.enqueue_job("greet", "Ada")
    broken = await pool.enqueue_job("explode")
    assert done
    assert broken
    await eventually(lambda: pool.exists(f"arq:result:{done.job_id}", f"arq:result:{broken.job_id}"))
    await eventually(lambda: pool.get(f"arq:result:{broken.job_id}"))
    plain_worker.terminate()
    plain_worker.wait(timeout=15)
    for delay in (0, 600):
        await pool.enqueue_job("greet", "later", _defer_by=delay)
    keys = {key: await pool.dump(key) for key in await pool.keys("*")}
    await pool.config_resetstat()
    for path in ("", "jobs", "failed", "queues", "workers", f"jobs/{broken.job_id}", f"jobs/{done.job_id}"):
        page = await observer.get(f"/{path}")
        assert page.status == 200, await page.text()
        assert '<form method="post"' not in (await page.text()).partition("<template")[0]
    async with observer.ws_connect("/api/v1/feed", protocols=["arqlight.v1"]) as feed:
        await feed.send_json(
            {"subscribe": ["counts", "active", "failed", "workers", f"job:{done.job_id}"], "since": None}
        )
        for _ in range(5):
            await feed.receive_json(timeout=5)
    used = {name.removeprefix("cmdstat_") for name in await pool.info("commandstats")}
    assert used - {"config|resetstat"} <= READS
    assert {key: await pool.dump(key) for key in await pool.keys("*")} == keys
    stats = await _get(observer, "stats")
    assert [stats[name] for name in ("queued", "scheduled", "failed", "active_queues")] == [1, 1, 1, 1]
    job = await _get(observer, f"jobs/{done.job_id}")
    assert (job["state"], job["result"], job["args"]) == ("succeeded", "hello Ada, try 1", ["Ada"])


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "failed/x/retry", None),
        ("DELETE", "failed/x", None),
        ("POST", "jobs", {"task": "greet"}),
        ("POST", "queues/default/pause", None),
        ("POST", "operations", {"kind": "retry"}),
    ],
)
async def test_what_would_change_something_is_refused_with_the_reason(
    pool: ArqRedis, observer: Client, method: str, path: str, body: Any
) -> None:
    await pool.enqueue_job("greet", _queue_name="arq:queue")
    await pool.psetex("arq:queue:health-check", 60_000, "j_complete=0 j_ongoing=0")
    answer = await observer.request(method, f"/api/v1/{path}", json=body)
    problem = await answer.json()
    assert answer.status in (404, 409, 422, 503)
    assert problem["detail"]
    assert await pool.acl_log() == []


async def test_queues_of_any_name_and_bytes_of_any_serializer_are_shown(
    pool: ArqRedis, observer: Client, redis_settings: RedisSettings
) -> None:
    packed = await create_pool(redis_settings, job_serializer=msgpack.packb, default_queue_name="billing-jobs")
    job = await packed.enqueue_job("charge", 5)
    assert job
    await pool.zadd("leaderboard", {"ada": 3})  # another application's: no queue of arq's
    await packed.aclose()
    queues = (await _get(observer, "queues"))["items"]
    assert [(queue["queue"], queue["queued"]) for queue in queues] == [("billing-jobs", 1)]
    shown = await _get(observer, f"jobs/{job.job_id}")
    assert shown["state"] == "queued"
    assert "cannot be shown" in shown["arguments_problem"]


async def test_the_page_shows_what_is_observed_and_offers_nothing_that_writes(
    pool: ArqRedis, observer: Client, browser: Browser, plain_worker: subprocess.Popen[bytes]
) -> None:
    page = await browser.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"a script failed: {error}"))
    await page.goto(str(observer.make_url("/")))
    await expect(page.locator(".live")).to_have_attribute("data-feed", "on")
    await pool.enqueue_job("explode")
    row = page.locator('[data-live="failed"] tbody tr')
    await expect(row).to_have_count(1, timeout=10_000)
    await expect(row).to_contain_text("RuntimeError")
    await expect(row.locator("form")).to_have_count(0)
    await expect(page.locator('.figures [data-slot="failed"]')).to_have_text("1")
