"""The newest names of something."""

from typing import Protocol


class RecentNames(Protocol):
    """Names in the order of their time, up to a bound."""

    async def add(self, name: str, at_ms: int, most: int) -> None:
        """Add one, and forget the oldest beyond `most`."""
        ...

    async def newest(self, limit: int) -> list[str]:
        """The newest, the last one first."""
        ...
