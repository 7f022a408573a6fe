"""A connection to PostgreSQL: jobs kept and run by PgQueuer, in a schema of its own."""

from typing import Any, Literal

from arqlight.connections.database.journal import DatabaseJournal
from arqlight.connections.database.pool import Pool
from arqlight.connections.database.reader import DatabaseReader
from arqlight.connections.database.stream import DatabaseStream
from arqlight.connections.postgres import shown
from arqlight.connections.without_parts import WithoutParts
from arqlight.jobs.serialization import serializer_named
from arqlight.settings import Settings


class DatabaseConnection(WithoutParts):
    """Jobs in one PostgreSQL. It is connected to, and its schema made or brought up to date, at the first use."""

    driver: Literal["database"] = "database"
    shown_driver = "database"
    can_write = True

    def __init__(self, name: str, url: str, settings: Settings) -> None:
        self.name = name
        self.pool = Pool(name, url)
        self.address = shown(self.pool.url)
        self.reader = DatabaseReader(self.pool, name, settings.keep_failed, settings.keep_job_log)
        self.journal = DatabaseJournal(self.pool, settings.queue_names(), serializer_named(settings.serializer))
        self.stream = DatabaseStream(self.pool, settings.keep_events)

    def task_context(self) -> dict[str, Any]:
        """Nothing: arq knows no database."""
        return {}

    async def ping(self) -> str:
        """The server's name and version. Raises Unusable."""
        return f"PostgreSQL {await self.pool.value('server_version')}"

    async def close(self) -> None:
        """Give up what is open."""
        await self.stream.close()
        await self.pool.close()
