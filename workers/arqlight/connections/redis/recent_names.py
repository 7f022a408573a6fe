"""The newest names of something, in a sorted set."""

from redis.asyncio import Redis


class RedisRecentNames:
    """One sorted set by time (see `parts.recent_names.RecentNames`)."""

    def __init__(self, redis: Redis, key: str) -> None:
        self._redis = redis
        self._key = key

    async def add(self, name: str, at_ms: int, most: int) -> None:
        """Add one, and forget the oldest beyond `most`."""
        await self._redis.zadd(self._key, {name: at_ms})
        await self._redis.zremrangebyrank(self._key, 0, -most - 1)

    async def newest(self, limit: int) -> list[str]:
        """The newest, the last one first."""
        return [name.decode() for name in await self._redis.zrevrange(self._key, 0, limit - 1)]
