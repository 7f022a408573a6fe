"""What several of these tests start from."""

from collections.abc import AsyncIterator

import pytest
from arq.connections import ArqRedis

from arqlight.connections.database import DatabaseConnection
from arqlight.settings import Settings
from tests.conftest import with_database
from tests.integration.test_connections import empty_schema


@pytest.fixture
async def billing(settings: Settings, postgres: str, pool: ArqRedis) -> AsyncIterator[DatabaseConnection]:
    """Jobs in a database that holds none yet."""
    await empty_schema(postgres)
    connection = DatabaseConnection("billing", postgres, with_database(settings, postgres))
    await connection.ping()
    yield connection
    await connection.close()
