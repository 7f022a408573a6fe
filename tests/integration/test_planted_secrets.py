"""Secrets planted in every place and type come out at no outlet: page, API, feed, log, metrics, traces."""

import json
import logging
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from arq import func

from arqlight.checked_fields import Secret
from arqlight.connections.database import DatabaseConnection
from arqlight.connections.redis import RedisConnection
from arqlight.jobs.queues import DEFAULT_QUEUE, queue_key
from arqlight.journal.journal import NewJob
from arqlight.runtime.log_output import _Json, _Lines
from arqlight.settings import Settings
from arqlight_service.app import create_app
from tests.conftest import StartWorker
from tests.support.on_any_driver import shown
from tests.support.waiting import eventually

# Each is planted in one place; the text that must not come out is in each of them.
PLANTED = {
    "password": "Planted-01'x\"",
    "nested": {"deep": [{"clientSecret": "Planted-02"}, {"apiKey": ["Planted-03", b"Planted-04"]}]},
    "pin": 990_500_000_001,
    "otp": 990_500_000_002.5,
    "accessToken": b"Planted-05\x00\xff",
    "body": json.dumps({"token": "Planted-06", "url": "https://u:Planted-07@example.org/?secret=Planted-08"}),
    "key": "-----BEGIN PRIVATE KEY-----\nPlanted-09\n-----END PRIVATE KEY-----",
    "headers": {"Authorization": "Bearer Planted-10", "X": "whsec_Planted-11abc"},
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJQbGFudGVkIn0.UGxhbnRlZC0xMg",
}
SIGNS = ("Planted", "990500000001", "990500000002", "UGxhbnRlZC0xMg")
SET = "Set-Planted-13&<x>"


async def leaks(ctx: dict[str, Any], **planted: Any) -> Any:
    ctx["progress"](1, 2, f"with {planted['password']}")
    ctx["log"].warning("taking %r and %s", planted["accessToken"], planted["nested"])
    ctx["log"].info("pin %d, set %s", planted["pin"], SET)
    return planted, SET, planted["pin"], [repr(planted)]


async def leaks_in_its_error(ctx: dict[str, Any], **planted: Any) -> Any:
    raise ValueError(f"refused {planted!r}, {planted['pin']}, {planted['accessToken']!r}, {SET}, {planted['body']}")


def found_in(text: str) -> list[str]:
    return [sign for sign in (*SIGNS, SET) if sign in text]


def around(text: str) -> list[str]:
    return [text[max(text.index(sign) - 60, 0) : text.index(sign) + 60] for sign in found_in(text)]


@pytest.mark.parametrize("driver", ["redis", "database"])
async def test_no_outlet_shows_what_was_planted(
    driver: str, settings: Settings, start_worker: StartWorker, billing: DatabaseConnection,
    postgres: str,
) -> None:  # fmt: skip
    hidden = settings.changed(secret_key=Secret(SET), connections=Secret(f"billing={postgres}"))
    connection = (
        billing if driver == "database" else RedisConnection("default", settings.resolved_redis_url(), settings)
    )
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.extend((_Json().format(record), _Lines().format(record)))

    logging.getLogger().addHandler(kept := Kept())
    try:
        async with TestClient(TestServer(create_app(hidden))) as client:
            feed = await client.ws_connect(f"/api/v1/feed?connection={connection.name}")
            topics = ["counts", "active", "failed", "events", "workers", "logs", "operations", "connections"]
            await feed.send_json({"subscribe": topics})
            await start_worker(
                [func(leaks, name="leaks", keep_result=600), func(leaks_in_its_error, name="leaks_in_its_error")],
                databases=[billing], settings=hidden,
            )  # fmt: skip
            jobs = [NewJob(name, DEFAULT_QUEUE, (), PLANTED) for name in ("leaks", "leaks_in_its_error")]
            good, bad = await connection.journal.enqueue(jobs)
            # What names hold is no argument: only the gates at the outlets are left.
            await connection.journal.enqueue([NewJob("waits", queue_key("nobody"), id=f"id {SET}")])
            await shown(connection, good, "succeeded")
            failed = await shown(connection, bad, "failed")
            suffix = f"connection={connection.name}"
            told = [(await feed.receive()).data for _ in range(len(topics))]
            await feed.send_json({"subscribe": ["active"]})
            told.append((await feed.receive()).data)
            await eventually(lambda: connection.reader.job(f"id {SET}"))
            await feed.close()
            for path in (
                f"/api/v1/jobs/{good}", f"/api/v1/jobs/{bad}", "/api/v1/jobs", "/api/v1/failed", "/api/v1/failed/groups",
                "/api/v1/active", "/api/v1/stats", "/api/v1/logs", "/api/v1/workers", "/api/v1/connections", "/readyz",
                f"/jobs/{good}", f"/jobs/{bad}", "/jobs", "/failed", "/", "/logs", "/settings", "/workers", "/queues",
                "/api/v1/openapi.json", "/metrics", "/api/v1/audit",
            ):  # fmt: skip
                headers = {"Accept": "text/html" if "api" not in path else "application/json"}
                url = (
                    path
                    if path in ("/readyz", "/metrics", "/api/v1/openapi.json", "/api/v1/connections")
                    else f"{path}?{suffix}"
                )
                answer = await client.get(url, headers=headers)
                text = await answer.text()
                assert answer.status in (200, 404), (path, text[:300])
                assert not found_in(text), (path, found_in(text), around(text))
            assert not found_in("\n".join(map(str, told)))
    finally:
        logging.getLogger().removeHandler(kept)
    assert failed["message"].startswith("refused {")
    assert lines
    assert not found_in("\n".join(lines)), [line for line in lines if found_in(line)]


@pytest.mark.parametrize(
    "address",
    ["redis://u:Planted@127.0.0.1:1/0", "redis://127.0.0.1:1/0?password=Planted", "unix:///nowhere.sock?password=Planted",
     "rediss://:Planted%40x@127.0.0.1:1", "redis+sentinel://:Planted@127.0.0.1:1/main"],
)  # fmt: skip
async def test_an_address_shows_no_password_wherever_it_is_told(
    address: str, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    hidden = settings.changed(
        redis_url=address, connections=Secret("b=postgresql://u:Planted@127.0.0.1:1/d?password=Planted")
    )
    async with TestClient(TestServer(create_app(hidden))) as client:

        async def is_told() -> bool:
            return (await client.get("/readyz")).status == 503

        await eventually(is_told)
        assert "127.0.0.1" not in await (await client.get("/readyz")).text()
        for path in (
            "/readyz",
            "/",
            "/settings",
            "/api/v1/connections",
            "/api/v1/stats",
            "/failed",
            "/failed?connection=b",
        ):
            for accept in ("text/html", "application/json"):
                text = await (await client.get(path, headers={"Accept": accept})).text()
                assert "Planted" not in text, (path, text)
    assert "Planted" not in caplog.text
