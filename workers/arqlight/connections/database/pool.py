"""A pool of connections to PostgreSQL, and the queries that are sent over it: each is a file of `queries/`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy.engine import URL

from arqlight.connections.database.codecs import set_codecs
from arqlight.connections.database.schema import MIGRATIONS, SCHEMA, dsn, prepare
from arqlight.connections.database.server_errors import REFUSED, SCHEMA_GONE, unusable
from arqlight.connections.postgres import check_schema, database_url, shown
from arqlight.errors import ArqlightError, SettingsError, Unusable
from arqlight.journal.deadline import deadline

CONNECT_TIMEOUT_S = 5
COMMAND_TIMEOUT_S = 30
MOST_CONNECTIONS = 8
_FOLDER = Path(__file__).parent


@cache
def query(verb: str) -> str:
    """The text of one query."""
    return read_query(_FOLDER / "queries", verb)


def read_query(folder: Path, verb: str) -> str:
    """The text of the query of that name in a folder, with what it shares with others in place."""
    text = (folder / f"{verb}.sql").read_text()
    for part in ("columns", "wake"):
        if f"{{{part}}}" in text:
            shared = (folder / f"{part}.sql").read_text().partition("\n")[2]
            text = text.replace(f"{{{part}}}", shared.rstrip())
    return text


class Pool:
    """Opened, and its schema brought up to date, at the first use; so a server that comes later is no trouble.

    Nor is one that lost its data: the schema is made again at the next use.
    """

    def __init__(self, name: str, url: str, *, is_prepared: bool = False, most: int = MOST_CONNECTIONS) -> None:
        self.name = name
        self.url: URL = database_url(url)
        self._is_prepared = is_prepared
        self._most = most
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
            if isinstance(error, SCHEMA_GONE):
                self._is_prepared = False
            raise self.unusable(error) from error

    @contextlib.asynccontextmanager
    async def within(self, seconds: float) -> AsyncIterator[None]:
        """Let the body take no longer, whatever it asks here. Raises Unusable."""
        try:
            async with deadline(seconds):
                yield
        except TimeoutError as error:
            raise self.unusable(error) from error

    async def open(self) -> asyncpg.Pool:
        """The pool itself. Raises Unusable."""
        async with self._opening:
            if self._pool is None or not self._is_prepared:
                try:
                    if not self._is_prepared:
                        await prepare(self.url, CONNECT_TIMEOUT_S)
                        self._is_prepared = True
                    self._pool = self._pool or await connect(self.url, self._most)
                except REFUSED as error:
                    raise self.unusable(error) from error
                except ArqlightError as error:
                    raise Unusable(f"connection {self.name!r}: {error}") from error
            return self._pool

    def beside(self, most: int) -> "Pool":
        """Another pool to the same server, for another event loop; its schema is this one's matter."""
        url = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return Pool(self.name, url, is_prepared=True, most=most)

    async def connect_alone(self) -> asyncpg.Connection:
        """A connection beside the pool, the caller's to close. Raises Unusable."""
        await self.open()
        try:
            return await asyncpg.connect(
                dsn(self.url), timeout=CONNECT_TIMEOUT_S, command_timeout=COMMAND_TIMEOUT_S,
                server_settings={"application_name": "arqlight"},
            )  # fmt: skip
        except REFUSED as error:
            raise self.unusable(error) from error

    def check_schema(self) -> None:
        """Raise SettingsError for a schema that a newer version made; a database that is away is no error yet."""
        try:
            check_schema(self.url, MIGRATIONS, SCHEMA)
        except SettingsError as error:
            raise SettingsError(f"connection {self.name!r}: {error}") from error

    async def close(self) -> None:
        """Close what is open."""
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None

    def unusable(self, error: BaseException) -> Unusable:
        """One sentence that names the connection and the reason."""
        return unusable(error, self.name, shown(self.url))


async def connect(url: URL, most: int = MOST_CONNECTIONS) -> asyncpg.Pool:
    """A pool of connections that read and write JSON as Python values."""
    pool: asyncpg.Pool = await asyncpg.create_pool(
        dsn(url), min_size=0, max_size=most, timeout=CONNECT_TIMEOUT_S, command_timeout=COMMAND_TIMEOUT_S,
        server_settings={"application_name": "arqlight"}, init=set_codecs,
    )  # fmt: skip
    return pool
