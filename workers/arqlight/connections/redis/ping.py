"""Asks a Redis or Valkey server what it is."""

from redis.asyncio import Redis
from redis.exceptions import RedisError

from arqlight.connections.connection_errors import check_version, reason_of
from arqlight.errors import Unusable


async def ping(redis: Redis, name: str, address: str) -> str:
    """What answers at `address`, in words. Raises Unusable, which names the connection and the reason."""
    try:
        about = await redis.info("server")
        return check_version(about)
    except (RedisError, OSError, ValueError) as error:
        reason = reason_of(error, tls=address.startswith("rediss"))
        raise Unusable(f"connection {name!r} ({address}) does not answer: {reason}") from error
