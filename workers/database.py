"""The PostgreSQL that holds the task families' data: connect, migrate, and say so when there is none."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from workers.errors import DatabaseMissing, DatabaseUnreachable, SettingsError
from workers.settings import Settings
from workers.tables import SCHEMA

logger = logging.getLogger("arqlight.database")
MIGRATIONS = Path(__file__).parent / "migrations"
# Alembic tells of each step; the job that happens to be the first has no use for that in its log.
logging.getLogger("alembic").setLevel(logging.WARNING)
# pg_advisory_lock's key: whoever starts first migrates, the others wait for it.
MIGRATION_LOCK = 4_207_849_484
CONNECT_TIMEOUT_S = 5


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
                await asyncio.to_thread(migrate, url)
                self._engine = create_async_engine(
                    url, pool_size=5, max_overflow=15, pool_pre_ping=True, connect_args=_connect_args()
                )
            return self._engine


def database_url(address: str) -> URL:
    """The address as the driver takes it. Raises SettingsError for one that is no PostgreSQL address."""
    try:
        url = make_url(address)
        is_ours = url.drivername in ("postgresql", "postgres", "postgresql+psycopg")
    except (ArgumentError, ValueError):
        is_ours = False
    if not is_ours:
        raise SettingsError(
            "ARQLIGHT_DATABASE_URL must be postgresql://user:password@host:5432/name; what is set is something else"
        )
    return url.set(drivername="postgresql+psycopg")


def migrate(url: URL, migrations: Path = MIGRATIONS, schema: str = SCHEMA) -> None:
    """Bring a schema to this version's, under a lock of the server's.

    Raises DatabaseUnreachable when nothing answers, SettingsError for a schema that a newer version made.
    """
    engine = create_engine(url, connect_args=_connect_args())
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
            connection.commit()
            config = Config()
            config.set_main_option("script_location", str(migrations).replace("%", "%%"))
            config.attributes["connection"] = connection
            config.attributes["schema"] = schema
            command.upgrade(config, "head")
            connection.commit()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
            connection.commit()
    except CommandError as error:
        newest = ScriptDirectory(str(migrations)).get_current_head()
        raise SettingsError(
            f"the database at {shown(url)} was made by another version of arqlight ({error}); this one knows up to "
            f"{newest}: update arqlight, or name another database in ARQLIGHT_DATABASE_URL"
        ) from error
    except SQLAlchemyError as error:
        raise DatabaseUnreachable(shown(url), _reason(error)) from error
    finally:
        engine.dispose()


def shown(url: URL) -> str:
    """The address without its password."""
    return url.set(drivername="postgresql").render_as_string(hide_password=True)


def _reason(error: SQLAlchemyError) -> str:
    cause: Any = getattr(error, "orig", None) or error
    return " ".join(str(cause).split())[:300]


def _connect_args() -> dict[str, Any]:
    return {"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "arqlight"}
