"""The PostgreSQL that holds the task families' data: connect, migrate, and say so when there is none."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from arqlight.connections.migrated_engine import MigratedEngine
from arqlight.connections.postgres import check_schema, database_url, shown
from arqlight.errors import DatabaseMissing, DatabaseUnreachable
from arqlight.families.metadata import SCHEMA
from arqlight.family import declared
from arqlight.settings import Settings

MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """A pool of connections, opened and migrated at its first use; so a server that comes later is no trouble."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine = MigratedEngine(self._set_address, _schemas, size=5, overflow=15)

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
        async with self._engine.connect() as connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[AsyncConnection]:
        """A connection on which each statement is a transaction of its own."""
        async with self._engine.connect() as connection:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")

    async def close(self) -> None:
        """Close what is open."""
        await self._engine.close()

    def _set_address(self) -> str:
        address = self._settings.resolved_database_url()
        if address is None:
            raise DatabaseMissing
        return address


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
