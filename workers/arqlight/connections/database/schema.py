"""The schema that jobs stand in: PgQueuer's tables under our names, and ours beside them."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.db import AsyncpgDriver
from pgqueuer.domain.settings import DBSettings
from pgqueuer.domain.types import Channel
from pgqueuer.queries import Queries
from sqlalchemy.engine import URL

from arqlight.connections.postgres import MIGRATION_LOCK, migrate
from arqlight.errors import Unusable

SCHEMA = "arqlight_jobs"
MIGRATIONS = Path(__file__).parent / "migrations"
OLDEST_POSTGRES = 13
PREPARE_S = 60  # another process may be at it


def names() -> DBSettings:
    """What PgQueuer's tables are called, whatever its own environment variables say."""
    return DBSettings(prefix="", db_schema=SCHEMA, channel=Channel(SCHEMA))


def pgqueuer_queries(driver: Any) -> Queries:
    """PgQueuer's own queries, on our names."""
    return Queries(
        driver, QueryBuilderEnvironment(names()), QueryQueueBuilder(names()), QuerySchedulerBuilder(names())
    )  # fmt: skip


async def prepare(url: URL, connect_s: float) -> None:
    """Make the schema, or bring it up to date: PgQueuer's tables, then those beside them.

    Raises Unusable, SettingsError, and what asyncpg and the system raise; TimeoutError when it takes too long.
    """
    async with asyncio.timeout(PREPARE_S):
        connection = await asyncpg.connect(dsn(url), timeout=connect_s, command_timeout=PREPARE_S)
        try:
            if connection.get_server_version().major < OLDEST_POSTGRES:
                raise Unusable(f"it is PostgreSQL {connection.get_server_version().major}; 13 or newer is needed")
            await connection.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
            theirs = pgqueuer_queries(AsyncpgDriver(connection))
            if await theirs.schema_is_installed():
                await theirs.apply_upgrade()
            else:
                await theirs.install()
        finally:
            await connection.close(timeout=connect_s)
        await asyncio.to_thread(migrate, url, MIGRATIONS, SCHEMA)


def dsn(url: URL) -> str:
    """The address as asyncpg takes it, with its password."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
