"""Sentry's arq integration is told of failures by our worker as it is by arq's."""

import asyncio
import gzip
import json
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from arq.connections import ArqRedis

from arqlight.settings import Settings
from tests.conftest import ROOT

APP = "tests.support.apps.tracked.WorkerSettings"
ARQ = ("-m", "arq", APP, "--burst")
ARQLIGHT = ("-m", "arqlight_service", "worker", APP, "--burst")


class Receiver:
    """What Sentry's server would be sent: events and transactions, in order."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.transactions: list[dict[str, Any]] = []
        app = web.Application()
        app.router.add_post("/api/1/envelope/", self._take)
        self.server = TestServer(app)

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        lines = (gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body).splitlines()
        for header, item in zip(lines[1::2], lines[2::2], strict=True):
            kind = json.loads(header)["type"]
            if kind == "event":
                self.events.append(json.loads(item))
            elif kind == "transaction":
                self.transactions.append(json.loads(item))
        return web.json_response({})

    def told(self) -> list[dict[str, Any]]:
        """Of each event what a reader looks for first."""
        return [
            {
                "type": event["exception"]["values"][-1]["type"],
                "value": event["exception"]["values"][-1]["value"],
                "mechanism": event["exception"]["values"][-1]["mechanism"],
                "function": event["exception"]["values"][-1]["stacktrace"]["frames"][-1]["function"],
                "transaction": event["transaction"],
                "tags": event["tags"],
                "job": event["extra"]["arq-job"],
            }
            for event in self.events
        ]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with receiver.server:
        yield receiver


async def run(command: tuple[str, ...], receiver: Receiver, settings: Settings) -> None:
    sentry = f"http://key@{receiver.server.host}:{receiver.server.port}/1"
    told = {"APP_SENTRY": sentry, "APP_REDIS": str(settings.redis_url), "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=ROOT, env=os.environ | told)
    assert await asyncio.wait_for(process.wait(), 60) == 0


async def test_a_failure_arrives_as_it_does_under_arq(receiver: Receiver, settings: Settings, pool: ArqRedis) -> None:
    arrived = []
    for command in (ARQ, ARQLIGHT):
        await pool.flushdb()
        receiver.events.clear()
        receiver.transactions.clear()
        for task in ("fine", "again"):
            await pool.enqueue_job(task, _job_id=task)
        await pool.enqueue_job("explode", password="hunter2-secret", _job_id="the-job")
        await run(command, receiver, settings)
        assert "hunter2-secret" not in json.dumps([event["extra"] for event in receiver.events])
        done = sorted((each["transaction"], each["contexts"]["trace"]["op"], each["contexts"]["trace"]["status"])
                      for each in receiver.transactions)  # fmt: skip
        arrived.append((receiver.told(), done))
    under_arq, under_ours = arrived
    assert under_ours == under_arq
    [event] = under_arq[0]
    assert (event["type"], event["function"], event["transaction"]) == ("ValueError", "explode", "explode")


async def test_every_failed_attempt_of_a_task_and_a_timeout_arrive(
    receiver: Receiver, settings: Settings, pool: ArqRedis
) -> None:
    for name in ("tried_twice", "slow", "deep"):
        await pool.enqueue_job(name, _job_id=name)
    await run(ARQLIGHT, receiver, settings)
    assert await pool.zscore("arqlight:failed", "deep")  # Sentry cannot tell it, and that changes nothing
    told = sorted((each["transaction"], each["type"], each["tags"]["arq_task_retry"]) for each in receiver.told())
    assert told == [
        ("slow", "TimeoutError", False),
        ("tried_twice", "KeyError", False),
        ("tried_twice", "KeyError", True),
    ]
