"""SQLAlchemy's engine for schemas of ours: opened and migrated at its first use, and again when a schema is gone."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from arqlight.connections.postgres import connect_args, database_url, migrate

logger = logging.getLogger("arqlight")
# Undefined table, invalid schema name: the database was made anew while we ran, or another was put in its place.
SCHEMA_GONE = ("42P01", "3F000")


class MigratedEngine:
    """A server that comes later is no trouble, nor one that lost its data.

    :param address: gives the database's address; it is asked at the first use, and may raise.
    :param schemas: gives the migrations of each schema, and the schema's name.
    """

    def __init__(
        self, address: Callable[[], str], schemas: Callable[[], Iterable[tuple[Path, str]]], size: int, overflow: int
    ) -> None:
        self._address = address
        self._schemas = schemas
        self._size = size
        self._overflow = overflow
        self._engine: AsyncEngine | None = None
        self._is_migrated = False
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """A connection. Raises SettingsError, DatabaseUnreachable as `migrate`, and what SQLAlchemy raises."""
        engine = await self._open()
        try:
            async with engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) in SCHEMA_GONE:
                self._is_migrated = False
                logger.warning("the database lost tables of arqlight; they are made again, empty, at the next use")
            raise

    async def close(self) -> None:
        """Close what is open."""
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None

    async def _open(self) -> AsyncEngine:
        async with self._opening:
            if self._engine is None or not self._is_migrated:
                url = database_url(self._address())
                for migrations, schema in self._schemas():
                    await asyncio.to_thread(migrate, url, migrations, schema)
                self._is_migrated = True
                self._engine = self._engine or create_async_engine(
                    url, pool_size=self._size, max_overflow=self._overflow, pool_pre_ping=True,
                    connect_args=connect_args(),
                )  # fmt: skip
            return self._engine
