"""What the journal counted on a Redis or Valkey server."""

from typing import Any

from redis.asyncio import Redis

from arqlight.journal.counters import Span, Totals, read_chart, read_totals


class RedisCounters:
    """Reads the counters (see `parts.counters.Counters`)."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def chart(self, span: Span, queue: str | None = None) -> dict[str, Any]:
        """The points of a span, the oldest first; of one queue (by key) or of all."""
        return await read_chart(self._redis, span, queue)

    async def totals(self) -> Totals:
        """The counters that only grow."""
        return await read_totals(self._redis)
