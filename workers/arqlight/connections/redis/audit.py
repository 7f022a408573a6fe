"""The audit list on a Redis or Valkey server."""

from collections.abc import Sequence

from redis.asyncio import Redis

from arqlight.journal.audit import add_entry, newest_entries, oldest_entries, remove_entries, trim_entries
from arqlight.journal.audit_entry import KINDS, AuditEntry, Kind


class RedisAudit:
    """Keeps and reads entries (see `parts.audit.Audit`)."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(self, entry: AuditEntry) -> None:
        """Write one down."""
        await add_entry(self._redis, entry)

    async def newest(
        self, kinds: Sequence[Kind] = KINDS, before: str = "", since: str = "", limit: int = 50
    ) -> list[AuditEntry]:
        """The newest."""
        return await newest_entries(self._redis, kinds, before, since, limit)

    async def oldest(self, kind: Kind, limit: int) -> list[AuditEntry]:
        """The oldest of a kind."""
        return await oldest_entries(self._redis, kind, limit)

    async def remove(self, entries: Sequence[AuditEntry]) -> None:
        """Take them out."""
        await remove_entries(self._redis, entries)

    async def trim(self, kind: Kind, most: int, since: str) -> None:
        """Hold a kind to its bounds."""
        await trim_entries(self._redis, kind, most, since)
