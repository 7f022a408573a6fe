"""The audit list in the families' PostgreSQL (ARQLIGHT_DATABASE_URL), in a schema of its own."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from arqlight.errors import DatabaseUnreachable
from arqlight.journal.audit_entry import AuditEntry, Kind, read_entry
from arqlight.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from arqlight.connections.migrated_engine import MigratedEngine

SCHEMA = "arqlight_audit"
MIGRATIONS = Path(__file__).parent / "migrations"
DEADLINE_S = 10.0
ARCHIVE_ERRORS = (DatabaseUnreachable, OSError)


class Archive:
    """Opened and migrated at its first use; so a server that comes later is no trouble.

    What it cannot do, it raises as DatabaseUnreachable.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._engine: MigratedEngine | None = None

    async def keep(self, entries: Sequence[AuditEntry]) -> None:
        """Write them down; one that is there already stays as it is."""
        from sqlalchemy import text

        rows = [{"id": each.id, "kind": each.kind, "entry": json.dumps(each.to_json())} for each in entries]
        async with self._begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO arqlight_audit.entries (id, kind, entry) VALUES (:id, :kind, :entry)"
                    " ON CONFLICT DO NOTHING"
                ),
                rows,
            )

    async def newest(self, kinds: Sequence[Kind], before: str, since: str, limit: int) -> list[AuditEntry]:
        """The newest of these kinds, those before the id `before` and not before the id `since`."""
        from sqlalchemy import text

        async with self._begin() as connection:
            found = await connection.execute(
                text(
                    "SELECT entry FROM arqlight_audit.entries WHERE kind = ANY(:kinds) AND id >= :since"
                    " AND (:before = '' OR id < :before) ORDER BY id DESC LIMIT :most"
                ),
                {"kinds": list(kinds), "since": since, "before": before, "most": limit},
            )
            return [read_entry(json.loads(entry)) for entry in found.scalars()]

    async def trim(self, kind: Kind, most: int, since: str) -> None:
        """Keep the newest `most` of a kind, and none from before the id `since`."""
        from sqlalchemy import text

        async with self._begin() as connection:
            await connection.execute(
                text(
                    "DELETE FROM arqlight_audit.entries WHERE kind = :kind AND (id < :since OR id <="
                    " (SELECT id FROM arqlight_audit.entries WHERE kind = :kind ORDER BY id DESC OFFSET :most LIMIT 1))"
                ),
                {"kind": kind, "since": since, "most": most},
            )

    async def close(self) -> None:
        """Close what is open."""
        if self._engine is not None:
            await self._engine.close()

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator["AsyncConnection"]:
        from sqlalchemy.exc import SQLAlchemyError

        from arqlight.connections.postgres import database_url, shown

        try:
            async with asyncio.timeout(DEADLINE_S):
                async with self._opened().connect() as connection, connection.begin():
                    yield connection
        except (SQLAlchemyError, TimeoutError) as error:
            reason = str(error).splitlines()[0] if str(error) else f"no answer within {DEADLINE_S:g} s"
            raise DatabaseUnreachable(shown(database_url(self._address)), reason) from error

    def _opened(self) -> "MigratedEngine":
        if self._engine is None:
            from arqlight.connections.migrated_engine import MigratedEngine  # loaded where there is a database only

            self._engine = MigratedEngine(lambda: self._address, lambda: [(MIGRATIONS, SCHEMA)], size=1, overflow=3)
        return self._engine


def archive_of(settings: Settings) -> Archive | None:
    """Where the audit list is kept permanently; None where no PostgreSQL is set, or its extra is not installed."""
    address = settings.resolved_database_url()
    return Archive(address) if address and find_spec("sqlalchemy") and find_spec("psycopg") else None
