"""Texts for a limited time."""

from collections.abc import Sequence
from typing import Protocol


class ExpiringTexts(Protocol):
    """Texts by name; each is gone when its time (ms) is over."""

    async def get(self, name: str) -> str | None:
        """One; None when it is not there."""
        ...

    async def get_many(self, names: Sequence[str]) -> list[str | None]:
        """One for each name, in order."""
        ...

    async def set(self, name: str, text: str, life_ms: int) -> None:
        """Write one, over what was there."""
        ...

    async def add(self, name: str, text: str, life_ms: int) -> bool:
        """Write one that is not there yet; False when it is. Of several callers at once, one gets True."""
        ...

    async def extend(self, name: str, life_ms: int) -> None:
        """Let one that is there live this long from now."""
        ...

    async def take(self, name: str) -> str | None:
        """Read and remove one. Of several callers at once, one gets it."""
        ...

    async def delete(self, name: str) -> None:
        """Remove one, if it is there."""
        ...
