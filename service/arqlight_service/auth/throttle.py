"""How often somebody may try to sign in: counted on the server, over all replicas, before the password is looked at."""

from arqlight.connections.parts.window_counters import WindowCounters
from arqlight_service.api.problems import Problem
from arqlight_service.auth.hashing import hashed

WINDOW_S = 15 * 60
# Of one name from one address; of one address, whatever the name; of one name, from wherever.
MOST = {"pair": 10, "address": 50, "name": 100}


class Tries:
    """Counts tries, and forgets those of somebody who got in."""

    def __init__(self, counters: WindowCounters) -> None:
        self._counters = counters

    async def count(self, name: str, address: str) -> None:
        """Count one. Raises Problem 429 when there were too many in the last quarter of an hour."""
        names = _names(name, address)
        for kind, count in zip(names, await self._counters.count(list(names.values()), WINDOW_S), strict=True):
            if count.number > MOST[kind]:
                raise Problem(
                    429,
                    f"too many sign-in attempts; wait {max(1, count.left_s // 60)} minutes",
                    headers={"Retry-After": str(max(1, count.left_s))},
                )

    async def forget(self, name: str, address: str) -> None:
        """Somebody got in: what was tried under this name from this address counts no more."""
        await self._counters.reset(_names(name, address)["pair"])


def _names(name: str, address: str) -> dict[str, str]:
    texts = {"pair": f"{address} {name}", "address": address, "name": name}
    return {kind: f"{kind}:{hashed(text)[:32]}" for kind, text in texts.items()}
