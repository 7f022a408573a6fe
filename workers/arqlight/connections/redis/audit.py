"""The audit list on a Redis or Valkey server."""

from typing import Any

from redis.asyncio import Redis

from arqlight.journal.audit import AUDIT_ENTRIES, note, read_audit, trim_audit


class RedisAudit:
    """Notes and reads changes (see `parts.audit.Audit`)."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def note(self, who: str, what: str, before: Any, after: Any) -> None:
        """Add a change."""
        await note(self._redis, who, what, before, after)

    async def read(self, limit: int = AUDIT_ENTRIES) -> list[dict[str, Any]]:
        """The newest changes."""
        return await read_audit(self._redis, limit)

    async def trim(self, most: int) -> None:
        """Keep the newest `most`."""
        await trim_audit(self._redis, most)
