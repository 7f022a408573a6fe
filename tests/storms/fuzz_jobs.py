"""`make fuzz`: a hundred thousand hostile job bodies at a worker."""

import asyncio
import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from arq.connections import ArqRedis

from arqlight.settings import Settings
from arqlight_service.app import create_app
from tests.storms.conftest import Say
from tests.storms.size import scaled
from tests.support.fuzzing import SCORES, hostile_bodies
from tests.support.waiting import eventually

Spawn = Callable[..., subprocess.Popen[str]]
BODIES, GROUP = scaled(100_000), scaled(5_000)


@pytest.mark.timeout(1200)
async def test_hostile_bodies_harm_only_themselves(
    pool: ArqRedis, settings: Settings, spawn: Spawn, say: Say, tmp_path: Path
) -> None:
    sign, dice = tmp_path / "it-ran", random.Random(10)
    worker = spawn("worker", "tests.storms.hostile.WorkerSettings", ARQLIGHT_LOG_LEVEL="ERROR")
    assert worker.stdout
    reading = asyncio.create_task(asyncio.to_thread(worker.stdout.read))  # each failure is logged with its trace
    sent = 0
    bodies = hostile_bodies(dice, BODIES, sign)
    async with TestClient(TestServer(create_app(settings))) as client:
        while sent < BODIES:
            async with pool.pipeline(transaction=False) as pipe:
                for raw in (next(bodies) for _ in range(GROUP)):
                    pipe.set(f"arq:job:evil-{sent}", raw)
                    pipe.zadd("arq:queue", {f"evil-{sent}": dice.choice(SCORES) or time.time() * 1000})
                    sent += 1
                await pipe.execute()
            await pool.enqueue_job("work", 1, _job_id=f"good-{sent}")
            await eventually(lambda: _is_empty(pool), within_s=100)
            for path in ("/", "/jobs", "/failed", "/queues", "/charts", "/metrics", "/api/v1/failed?limit=500"):
                assert (await client.get(path)).status == 200, path
    assert worker.poll() is None, "the worker goes on"
    good = [await pool.zscore("arqlight:succeeded", f"good-{number}") for number in range(GROUP, sent + 1, GROUP)]
    failed = await pool.zcard("arqlight:failed")
    assert all(good)
    assert failed > BODIES / 2
    assert not sign.exists(), "a body ran code"
    worker.terminate()
    await reading
    say(
        "jobs",
        f"{sent:,} hostile bodies: {failed:,} failed, the rest were harmless; none ran code, no good job was kept up",
    )


async def _is_empty(pool: ArqRedis) -> bool:
    return not await pool.zcard("arq:queue")
