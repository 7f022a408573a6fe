"""The PostgreSQL that holds the task families' data: connect, migrate, and say so when there is none."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from arqlight.connections.postgres import check_schema, connect_args, database_url, migrate, shown
from arqlight.errors import DatabaseMissing, DatabaseUnreachable
from arqlight.families.metadata import SCHEMA
from arqlight.family import declared
from arqlight.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """A pool of connections, opened and migrated at its first use; so a server that comes later is no trouble."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine: AsyncEngine | None = None
        self._opening = asyncio.Lock()

    @property
    def is_set(self) -> bool:
        """Whether there is an address to connect to."""
        return self._settings.resolved_database_url() is not None

    @property
    def address(self) -> str:
        """Where it is, without a password; "not set" where it is nowhere. Raises SettingsError."""
        address = self._settings.resolved_database_url()
        return shown(database_url(address)) if address else "not set"

    async def ping(self) -> str:
        """What answers, in words ("PostgreSQL 18.1"). Raises as `begin`, DatabaseUnreachable for what it refuses."""
        try:
            async with self.begin() as connection:
                version = (await connection.execute(text("SHOW server_version"))).scalar_one()
        except SQLAlchemyError as error:
            raise DatabaseUnreachable(self.address, str(error).splitlines()[0]) from error
        return f"PostgreSQL {version}"

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction, committed when the body ends well.

        Raises DatabaseMissing when no address is set, DatabaseUnreachable when nothing answers there.
        """
        engine = await self._open()
        async with engine.connect() as connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[AsyncConnection]:
        """A connection on which each statement is a transaction of its own."""
        engine = await self._open()
        async with engine.connect() as connection:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")

    async def close(self) -> None:
        """Close what is open."""
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None

    async def _open(self) -> AsyncEngine:
        async with self._opening:
            if self._engine is None:
                address = self._settings.resolved_database_url()
                if address is None:
                    raise DatabaseMissing
                url = database_url(address)
                for migrations, schema in _schemas():
                    await asyncio.to_thread(migrate, url, migrations, schema)
                self._engine = create_async_engine(
                    url, pool_size=5, max_overflow=15, pool_pre_ping=True, connect_args=connect_args()
                )
            return self._engine


def check_database(settings: Settings) -> None:
    """Raise SettingsError for a database that a newer version made; one that is away, or not set, is none."""
    if address := settings.resolved_database_url():
        for migrations, schema in _schemas():
            check_schema(database_url(address), migrations, schema)


def _schemas() -> Iterator[tuple[Path, str]]:
    """The migrations of the bundled families' schema, and of each that another family brings."""
    yield MIGRATIONS, SCHEMA
    for family in declared():
        if family.migrations is not None and family.schema is not None:
            yield family.migrations, family.schema
