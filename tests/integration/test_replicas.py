"""Two replicas of the service behind one address: a consumer that is moved from one to the other misses nothing."""

import asyncio
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from arq import func
from arq.connections import ArqRedis

from arqlight.journal.journal import Journal, NewJob
from arqlight.journal.reader import Reader
from tests.conftest import StartWorker
from tests.support.programs import find_nginx
from tests.support.waiting import eventually

QUEUE = "arq:queue"
JOBS, CONSUMERS = 600, 20
Spawn = Callable[..., subprocess.Popen[str]]
CONFIG = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  upstream service {{ server 127.0.0.1:{first} max_fails=0; server 127.0.0.1:{second} max_fails=0; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://service;
      proxy_http_version 1.1;
      proxy_set_header Host 127.0.0.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $http_connection;
      proxy_buffering off;
    }}
  }}
}}
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def ports() -> tuple[int, int]:
    return free_port(), free_port()


@pytest.fixture
def proxy(tmp_path: Path, ports: tuple[int, int]) -> Iterator[str]:
    path = find_nginx()
    assert path, "no nginx: run `make programs`"
    port = free_port()
    config = tmp_path / "nginx.conf"
    config.write_text(CONFIG.format(folder=tmp_path, first=ports[0], second=ports[1], port=port))
    nginx = subprocess.Popen([path, "-c", str(config), "-p", str(tmp_path), "-e", str(tmp_path / "error.log")])
    yield f"http://127.0.0.1:{port}"
    nginx.terminate()
    nginx.wait(timeout=10)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


class Consumer:
    """Follows the events, and comes again with its last cursor whenever it is cut off."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url
        self.seen: list[tuple[str, str]] = []
        self.cuts = 0

    async def follow(self) -> None:
        cursor: str | None = "0-0"
        while True:
            try:
                async with self._session.ws_connect(f"{self._url}/api/v1/feed", protocols=["arqlight.v1"]) as feed:
                    await feed.send_json({"subscribe": ["events"], "since": cursor})
                    async for message in feed:
                        frame: Any = message.json()
                        assert frame["type"] == "event", frame
                        cursor = frame["cursor"]
                        self.seen.append((frame["job"], frame["state"]))
            except aiohttp.ClientError:
                pass
            self.cuts += 1
            await asyncio.sleep(0.05)


async def _answers(session: aiohttp.ClientSession, port: int) -> bool:
    try:
        async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def test_consumers_move_between_replicas_and_see_each_event_once_and_in_order(
    pool: ArqRedis, journal: Journal, reader: Reader, start_worker: StartWorker, spawn: Spawn, proxy: str,
    ports: tuple[int, int], session: aiohttp.ClientSession,
) -> None:  # fmt: skip
    async def odd(ctx: dict[str, Any], number: int) -> None:
        if number % 5 == 0:
            raise ValueError(number)

    replicas = [spawn("server", "--port", str(port)) for port in ports]
    for port in ports:
        await eventually(lambda port=port: _answers(session, port), within_s=20)  # type: ignore[misc]
    consumers = [Consumer(session, proxy) for _ in range(CONSUMERS)]
    following = [asyncio.create_task(consumer.follow()) for consumer in consumers]
    await start_worker([func(odd, name="odd", max_tries=1)])
    for part in range(6):
        await journal.enqueue([NewJob("odd", QUEUE, (number,)) for number in range(part * 100, part * 100 + 100)])
        await eventually(lambda part=part: _ended(pool, (part + 1) * 100))  # type: ignore[misc]
        if part in (1, 3):
            # A roll-out: one replica goes, its consumers come to the other; then it is back.
            place = part // 2
            replicas[place].send_signal(signal.SIGTERM)
            await asyncio.to_thread(replicas[place].communicate, timeout=20)
            assert replicas[place].returncode == 0
            replicas[place] = spawn("server", "--port", str(ports[place]))
            await eventually(lambda place=place: _answers(session, ports[place]), within_s=20)  # type: ignore[misc]
    truth = [(fields[b"job"].decode(), fields[b"state"].decode()) for _, fields in await pool.xrange("arqlight:events")]
    assert len(truth) == 3 * JOBS
    await eventually(lambda: all(len(consumer.seen) >= len(truth) for consumer in consumers), within_s=20)
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    assert all(consumer.seen == truth for consumer in consumers)
    assert sum(consumer.cuts for consumer in consumers) >= CONSUMERS / 2


async def _ended(pool: ArqRedis, number: int) -> bool:
    return bool(await pool.zcard("arqlight:succeeded") + await pool.zcard("arqlight:failed") == number)
