"""A server that somebody else runs: no CONFIG, no FLUSH, no KEYS, nothing that administers it."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer
from arq import func
from arq.connections import ArqRedis, RedisSettings

from arqlight.settings import Settings
from arqlight_service.app import create_app
from tests.conftest import StartWorker
from tests.integration.test_connections import add, boom
from tests.support.waiting import eventually

REFUSED = (
    "config",
    "flushall",
    "flushdb",
    "keys",
    "save",
    "bgsave",
    "replicaof",
    "shutdown",
    "debug",
    "monitor",
    "acl",
)


@pytest.fixture
async def tenant(pool: ArqRedis, redis_settings: RedisSettings) -> AsyncIterator[RedisSettings]:
    await pool.config_set("notify-keyspace-events", "")
    await pool.acl_setuser(
        "tenant", enabled=True, passwords=["+rented"], keys=["*"], channels=["*"], categories=["+@all"],
        commands=[f"-{name}" for name in REFUSED],
    )  # fmt: skip
    yield RedisSettings(port=redis_settings.port, username="tenant", password="rented")
    await pool.acl_deluser("tenant")


async def test_workers_and_service_do_without_what_a_managed_server_refuses(
    pool: ArqRedis, tenant: RedisSettings, settings: Settings, start_worker: StartWorker
) -> None:
    theirs = settings.changed(redis_url=f"redis://tenant:rented@127.0.0.1:{tenant.port}/0")
    await start_worker(
        [add, func(boom, max_tries=1)], redis_settings=tenant, settings=theirs, poll_delay=0.1
    )  # fmt: skip
    async with TestClient(TestServer(create_app(theirs))) as client:
        await pool.enqueue_job("add", 1)  # a plain arq client: no bell and no notification, so it is polled for
        await pool.enqueue_job("boom")

        async def ended() -> bool:
            stats = await (await client.get("/api/v1/stats")).json()
            return bool(stats["failed"] == 1 and not stats["queued"] and not stats["processing"])

        await eventually(ended)
        [failed] = (await (await client.get("/api/v1/failed")).json())["items"]
        assert (await client.post(f"/api/v1/failed/{failed['id']}/retry")).status == 200
        for page in ("/", "/jobs", "/failed", "/queues", "/workers", "/schedules", "/logs", "/settings", "/charts"):
            assert (await client.get(page)).status == 200, page
        told = await (await client.post("/api/v1/connections/default/test")).json()
        assert told["ok"], told
