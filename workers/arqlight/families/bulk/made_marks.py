"""How far each batch was made, kept on Redis or Valkey beside the database: one that knows of less was restored."""

from redis.asyncio import Redis
from redis.exceptions import RedisError

from arqlight.journal.keys import KEYS

KEPT_S = 400 * 86_400


async def mark_made(redis: Redis | None, batch_id: int, made: int) -> None:
    """Keep that keys up to number `made` are committed. A mark that is missing only notices less."""
    if redis is not None:
        try:
            await redis.set(f"{KEYS['batches_made']}{batch_id}", made, ex=KEPT_S)
        except RedisError:
            return  # the keys are made all the same, and the next chunk's mark covers these


async def marked_made(redis: Redis | None, batch_id: int) -> int:
    """Up to which number keys were committed, as far as is known."""
    return 0 if redis is None else int(await redis.get(f"{KEYS['batches_made']}{batch_id}") or 0)
