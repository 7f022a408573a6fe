"""How often somebody may try to sign in: counted on the server, over all replicas, before the password is looked at.

Only one's own address is ever refused. Tries from elsewhere slow a name down, and lock nobody out of it.
"""

import asyncio

from arqlight.connections.parts.window_counters import WindowCounters
from arqlight_service.api.problems import Problem
from arqlight_service.auth.hashing import hashed
from arqlight_service.client_network import network_of

WINDOW_S = 15 * 60
# Of one name from one address; of one address, whatever the name; sign-ins begun at the provider from one address.
MOST = {"pair": 10, "address": 50, "provider": 50}
# Tries for one name, from wherever, of which none waits; behind them each waits longer than the one before.
NAME_AT_ONCE = 20
DELAY_STEP_S, LONGEST_DELAY_S = 0.05, 4.0


class Tries:
    """Counts tries, and forgets those of somebody who got in."""

    def __init__(self, counters: WindowCounters) -> None:
        self._counters = counters

    async def count(self, name: str, address: str) -> None:
        """Count one, and wait where others tried this name a lot. Raises Problem 429 for too many from this address."""
        network = network_of(address)
        await self._refuse({"pair": f"{network} {name}", "address": network})
        # What was refused above does not count here: it looked at no password.
        [tried] = await self._counters.count([_key("name", name)], WINDOW_S)
        await asyncio.sleep(delay_s(tried.number))

    async def count_provider(self, address: str | None) -> None:
        """Count a sign-in that begins at the provider. Raises Problem 429 for too many from this address."""
        await self._refuse({"provider": network_of(address)})

    async def forget(self, name: str, address: str) -> None:
        """Somebody got in: what was tried under this name from this address counts no more."""
        await self._counters.reset(_key("pair", f"{network_of(address)} {name}"))

    async def _refuse(self, texts: dict[str, str]) -> None:
        names = [_key(kind, text) for kind, text in texts.items()]
        for kind, count in zip(texts, await self._counters.count(names, WINDOW_S), strict=True):
            if count.number > MOST[kind]:
                raise Problem(
                    429,
                    f"too many sign-in attempts; wait {max(1, count.left_s // 60)} minutes",
                    headers={"Retry-After": str(max(1, count.left_s))},
                )


def delay_s(number: int) -> float:
    """How long the try waits that is the `number`th for its name in a quarter of an hour."""
    return min(max(0, number - NAME_AT_ONCE) * DELAY_STEP_S, LONGEST_DELAY_S)


def _key(kind: str, text: str) -> str:
    return f"{kind}:{hashed(text)[:32]}"
