"""How often somebody may try to sign in: counted on the server, over all replicas, before the password is looked at."""

from redis.asyncio import Redis

from arqlight.journal.keys import KEYS
from arqlight_service.api.problems import Problem
from arqlight_service.auth.hashing import hashed

WINDOW_S = 15 * 60
# Of one name from one address; of one address, whatever the name; of one name, from wherever.
MOST = {"pair": 10, "address": 50, "name": 100}


class Tries:
    """Counts tries, and forgets those of somebody who got in."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def count(self, name: str, address: str) -> None:
        """Count one. Raises Problem 429 when there were too many in the last quarter of an hour."""
        keys = _keys(name, address)
        async with self._redis.pipeline(transaction=True) as pipe:
            for key in keys.values():
                pipe.incr(key)
                pipe.expire(key, WINDOW_S, nx=True)
                pipe.ttl(key)
            answers = await pipe.execute()
        for place, kind in enumerate(keys):
            number, _, left_s = answers[3 * place : 3 * place + 3]
            if number > MOST[kind]:
                raise Problem(
                    429,
                    f"too many tries to sign in; wait {max(1, left_s // 60)} minutes",
                    headers={"Retry-After": str(max(1, left_s))},
                )

    async def forget(self, name: str, address: str) -> None:
        """Somebody got in: what was tried under this name from this address counts no more."""
        await self._redis.delete(_keys(name, address)["pair"])


def _keys(name: str, address: str) -> dict[str, str]:
    texts = {"pair": f"{address} {name}", "address": address, "name": name}
    return {kind: f"{KEYS['tries_to_sign_in']}{kind}:{hashed(text)[:32]}" for kind, text in texts.items()}
