"""What several of these tests start from."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from arq.connections import ArqRedis, RedisSettings

from arqlight.connections.connection import Connection
from arqlight.connections.database import DatabaseConnection
from arqlight.connections.redis import RedisConnection
from arqlight.settings import Settings
from tests.conftest import StartWorker, with_database
from tests.support.marketplaces import Marketplaces, open_market
from tests.support.on_any_driver import QUEUE, Work, empty_schema
from tests.support.syncing import Family, Syncing, read_fast
from tests.support.waiting import eventually


@pytest.fixture
async def billing(settings: Settings, postgres: str, pool: ArqRedis) -> AsyncIterator[DatabaseConnection]:
    """Jobs in a database that holds none yet."""
    await empty_schema(postgres)
    connection = DatabaseConnection("billing", postgres, with_database(settings, postgres))
    await connection.ping()
    yield connection
    await connection.close()


@pytest.fixture(params=["redis", "database"])
async def connection(
    request: pytest.FixtureRequest, pool: ArqRedis, settings: Settings, postgres: str
) -> AsyncIterator[Connection]:
    opened: Connection
    if request.param == "redis":
        opened = RedisConnection("here", settings.resolved_redis_url(), settings)
    else:
        opened = DatabaseConnection("here", postgres, with_database(settings, postgres))
        await empty_schema(postgres)
    yield opened
    await opened.close()


@pytest.fixture
def work(connection: Connection, start_worker: StartWorker, redis_settings: RedisSettings) -> Work:
    """Start a worker of the connection's jobs."""

    async def start(*functions: Any, **options: Any) -> Any:
        databases = [connection] if isinstance(connection, DatabaseConnection) else []
        worker = await start_worker(
            list(functions), databases=databases, queues=options.pop("queues", [QUEUE]), **options
        )
        await eventually(connection.reader.workers)
        return worker

    return start


@pytest.fixture
async def market() -> AsyncIterator[Marketplaces]:
    async with open_market() as market:
        yield market


@pytest.fixture
def sync(family: Family, market: Marketplaces, monkeypatch: pytest.MonkeyPatch) -> Syncing:
    read_fast(monkeypatch)
    return Syncing(family, market)
