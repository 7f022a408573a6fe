"""Texts that expire, each a key of its own."""

from collections.abc import Sequence

from redis.asyncio import Redis


class RedisExpiringTexts:
    """Strings under one prefix (see `parts.expiring_texts.ExpiringTexts`)."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix

    async def get(self, name: str) -> str | None:
        """One."""
        return _text(await self._redis.get(self._prefix + name))

    async def get_many(self, names: Sequence[str]) -> list[str | None]:
        """One for each name, in one round trip."""
        return [_text(raw) for raw in await self._redis.mget([self._prefix + name for name in names])] if names else []

    async def set(self, name: str, text: str, life_ms: int) -> None:
        """Write one."""
        await self._redis.set(self._prefix + name, text, px=life_ms)

    async def add(self, name: str, text: str, life_ms: int) -> bool:
        """Write one that is not there yet."""
        return bool(await self._redis.set(self._prefix + name, text, nx=True, px=life_ms))

    async def extend(self, name: str, life_ms: int) -> None:
        """Let one live on."""
        await self._redis.pexpire(self._prefix + name, life_ms)

    async def take(self, name: str) -> str | None:
        """Read and remove one, in one command."""
        return _text(await self._redis.getdel(self._prefix + name))

    async def delete(self, name: str) -> None:
        """Remove one."""
        await self._redis.delete(self._prefix + name)


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode()
