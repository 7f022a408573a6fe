"""Counters that expire, each a key of its own."""

from collections.abc import Sequence

from redis.asyncio import Redis

from arqlight.connections.parts.window_counters import WindowCount


class RedisWindowCounters:
    """Numbers under one prefix (see `parts.window_counters.WindowCounters`)."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix

    async def count(self, names: Sequence[str], window_s: int) -> list[WindowCount]:
        """Add one to each, in one transaction."""
        async with self._redis.pipeline(transaction=True) as pipe:
            for name in names:
                pipe.incr(self._prefix + name)
                pipe.expire(self._prefix + name, window_s, nx=True)
                pipe.ttl(self._prefix + name)
            answers = await pipe.execute()
        return [WindowCount(number, left_s) for number, left_s in zip(answers[::3], answers[2::3], strict=True)]

    async def reset(self, name: str) -> None:
        """Begin again."""
        await self._redis.delete(self._prefix + name)
