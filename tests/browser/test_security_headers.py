"""What every answer carries, how long a body may take, and that what SECURITY.md promises is tested."""

import asyncio
import re
from typing import Any

from aiohttp import web
from arq import func
from arq.connections import ArqRedis
from playwright.async_api import Browser

from arqlight.settings import Settings
from arqlight_service.app import create_app
from arqlight_service.auth import middleware as guard
from arqlight_service.serve import GuardedSite
from arqlight_service.slow_clients import OpenConnections
from tests.conftest import ROOT, Client, StartWorker
from tests.support.waiting import eventually

PAGES = ["/", "/jobs", "/failed", "/queues", "/workers", "/schedules", "/charts", "/logs", "/templates", "/settings"]


async def test_every_page_carries_a_strict_policy_and_breaks_it_nowhere(
    client: Client, pool: ArqRedis, start_worker: StartWorker, browser: Browser
) -> None:
    async def boom(ctx: dict[str, Any]) -> None:
        raise ValueError("no")

    await start_worker([func(boom, name="boom", max_tries=1)])
    await pool.enqueue_job("boom", _job_id="x")
    await eventually(lambda: pool.zcard("arqlight:failed"))
    broken: list[str] = []
    page = await browser.new_page(base_url=str(client.make_url("/")))
    page.on("console", lambda message: broken.append(message.text) if message.type == "error" else None)
    for path in (*PAGES, "/jobs/x"):
        answer = await page.goto(path)
        assert answer is not None
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        html = await answer.text()
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|javascript:|<style|\sstyle=", html), path
        await page.wait_for_load_state()
    assert broken == []


async def test_a_body_that_never_ends_is_given_up(pool: ArqRedis, settings: Settings, monkeypatch: Any) -> None:
    monkeypatch.setattr(guard, "BODY_S", 0.3)
    runner = web.AppRunner(create_app(settings), access_log=None, lingering_time=0.2)
    await runner.setup()
    site = GuardedSite(runner, "127.0.0.1", 0, OpenConnections(5))
    await site.start()
    port = int(site.name.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /api/v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
    async with asyncio.timeout(5):
        line = await reader.readline()
    assert line.startswith(b"HTTP/1.1 408")
    writer.close()
    await runner.cleanup()


def test_every_threat_names_tests_that_are_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "SECURITY.md").read_text())
    assert len(named) > 40
    for path, name in named:
        assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.M), (path, name)
    rows = [line for line in (ROOT / "SECURITY.md").read_text().splitlines() if line.startswith("| ")][1:]
    assert all("::test_" in row for row in rows if not row.startswith("|---")), "a threat without a test"
