"""Counters that begin again after a while."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class WindowCount:
    """How many there were in a window of time, and how many seconds of it are left."""

    number: int
    left_s: int


class WindowCounters(Protocol):
    """Counters by name. A window begins with the first count; after it the counter is gone."""

    async def count(self, names: Sequence[str], window_s: int) -> list[WindowCount]:
        """Add one to each of `names`, all or none; what each stands at, in order."""
        ...

    async def reset(self, name: str) -> None:
        """Begin again."""
        ...
