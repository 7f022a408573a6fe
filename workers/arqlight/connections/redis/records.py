"""Records in a hash."""

from redis.asyncio import Redis


class RedisRecords:
    """The fields of one hash (see `parts.records.Records`)."""

    def __init__(self, redis: Redis, key: str) -> None:
        self._redis = redis
        self._key = key

    async def get(self, name: str) -> str | None:
        """One field."""
        raw: bytes | None = await self._redis.hget(self._key, name)  # type: ignore[misc]
        return None if raw is None else raw.decode()

    async def all(self) -> dict[str, str]:
        """Every field."""
        raw: dict[bytes, bytes] = await self._redis.hgetall(self._key)  # type: ignore[misc]
        return {name.decode(): text.decode() for name, text in raw.items()}

    async def set(self, name: str, text: str) -> None:
        """Write one."""
        await self._redis.hset(self._key, name, text)  # type: ignore[misc]

    async def add(self, name: str, text: str) -> bool:
        """Write one that is not there yet."""
        return bool(await self._redis.hsetnx(self._key, name, text))  # type: ignore[misc]

    async def delete(self, name: str) -> bool:
        """Remove one."""
        return bool(await self._redis.hdel(self._key, name))  # type: ignore[misc]
