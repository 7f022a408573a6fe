"""A pool of connections to PostgreSQL, and the queries that are sent over it: each is a file of `queries/`."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.db import AsyncpgDriver
from pgqueuer.domain.settings import DBSettings
from pgqueuer.domain.types import Channel
from pgqueuer.queries import Queries
from sqlalchemy.engine import URL

from arqlight.connections.postgres import MIGRATION_LOCK, check_schema, database_url, migrate, shown
from arqlight.errors import ArqlightError, SettingsError, Unusable

SCHEMA = "arqlight_jobs"
Kind = TypeVar("Kind", bound=Queries)
OLDEST_POSTGRES = 13
CONNECT_TIMEOUT_S = 5
COMMAND_TIMEOUT_S = 30
MOST_CONNECTIONS = 8
_FOLDER = Path(__file__).parent
_MIGRATIONS = _FOLDER / "migrations"
# What may be wrong with a server, its address or its data, as asyncpg and the system tell it.
REFUSED = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)


def names() -> DBSettings:
    """What PgQueuer's tables are called, whatever its own environment variables say."""
    return DBSettings(prefix="", db_schema=SCHEMA, channel=Channel(SCHEMA))


def pgqueuer_queries(driver: Any, kind: type[Kind] = Queries) -> Kind:  # type: ignore[assignment]
    """PgQueuer's own queries, on our names."""
    return kind(
        driver, QueryBuilderEnvironment(names()), QueryQueueBuilder(names()), QuerySchedulerBuilder(names())
    )  # fmt: skip


@cache
def query(verb: str) -> str:
    """The text of one query."""
    text = (_FOLDER / "queries" / f"{verb}.sql").read_text()
    if "{columns}" in text:
        text = text.replace("{columns}", (_FOLDER / "queries" / "columns.sql").read_text().partition("\n")[2])
    return text


class Pool:
    """Opened, and its schema brought up to date, at the first use; so a server that comes later is no trouble."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.url: URL = database_url(url)
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()

    async def rows(self, verb: str, *args: Any) -> list[asyncpg.Record]:
        """What a query finds. Raises Unusable."""
        async with self.acquire() as connection:
            found: list[asyncpg.Record] = await connection.fetch(query(verb), *args)
            return found

    async def row(self, verb: str, *args: Any) -> asyncpg.Record | None:
        """The first row of what a query finds. Raises Unusable."""
        async with self.acquire() as connection:
            found: asyncpg.Record | None = await connection.fetchrow(query(verb), *args)
            return found

    async def value(self, verb: str, *args: Any) -> Any:
        """The first value of the first row. Raises Unusable."""
        async with self.acquire() as connection:
            return await connection.fetchval(query(verb), *args)

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        """A connection, for several queries. Raises Unusable in place of what the server or the network raise."""
        pool = await self.open()
        try:
            async with pool.acquire(timeout=CONNECT_TIMEOUT_S) as connection:
                yield connection
        except REFUSED as error:
            raise self.unusable(error) from error

    async def open(self) -> asyncpg.Pool:
        """The pool itself. Raises Unusable."""
        async with self._opening:
            if self._pool is None:
                try:
                    await self._prepare()
                    self._pool = await connect(self.url)
                except REFUSED as error:
                    raise self.unusable(error) from error
                except ArqlightError as error:
                    raise Unusable(f"connection {self.name!r}: {error}") from error
            return self._pool

    def check_schema(self) -> None:
        """Raise SettingsError for a schema that a newer version made; a database that is away is no error yet."""
        try:
            check_schema(self.url, _MIGRATIONS, SCHEMA)
        except SettingsError as error:
            raise SettingsError(f"connection {self.name!r}: {error}") from error

    async def close(self) -> None:
        """Close what is open."""
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None

    def unusable(self, error: BaseException) -> Unusable:
        """One sentence that names the connection and the reason."""
        return Unusable(f"connection {self.name!r} ({shown(self.url)}) does not answer: {_reason(error)}")

    async def _prepare(self) -> None:
        """Make the schema, or bring it up to date: PgQueuer's tables, then those beside them."""
        connection = await asyncpg.connect(_dsn(self.url), timeout=CONNECT_TIMEOUT_S)
        try:
            if connection.get_server_version().major < OLDEST_POSTGRES:
                raise Unusable(f"it is PostgreSQL {connection.get_server_version().major}; 13 or newer is needed")
            await connection.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
            theirs: Queries = pgqueuer_queries(AsyncpgDriver(connection))
            if await theirs.schema_is_installed():
                await theirs.apply_upgrade()
            else:
                await theirs.install()
        finally:
            await connection.close()
        await asyncio.to_thread(migrate, self.url, _MIGRATIONS, SCHEMA)


async def connect(url: URL, most: int = MOST_CONNECTIONS) -> asyncpg.Pool:
    """A pool of connections that read and write JSON as Python values."""
    pool: asyncpg.Pool = await asyncpg.create_pool(
        _dsn(url), min_size=0, max_size=most, timeout=CONNECT_TIMEOUT_S, command_timeout=COMMAND_TIMEOUT_S,
        server_settings={"application_name": "arqlight"}, init=_as_json,
    )  # fmt: skip
    return pool


async def _as_json(connection: Any) -> None:
    await connection.set_type_codec("jsonb", encoder=_encode, decoder=json.loads, schema="pg_catalog")


def _encode(value: Any) -> str:
    # PgQueuer encodes by itself.
    return value if isinstance(value, str) else json.dumps(value)


def _dsn(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _reason(error: BaseException) -> str:
    if isinstance(error, asyncpg.InvalidPasswordError | asyncpg.InvalidAuthorizationSpecificationError):
        return "user name or password are wrong"
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return "it has no database of that name"
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return f"its user may not do this: {error}"
    if isinstance(error, TimeoutError):
        return "no answer came in time"
    if "rejected SSL upgrade" in str(error):
        return "it speaks no TLS there; leave sslmode out, or set it up on the server"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there; is it running, and is the port right?"
    if isinstance(error, socket.gaierror):
        return "no host of that name is known"
    text = " ".join(str(error).split())[:200]
    return text or type(error).__name__
