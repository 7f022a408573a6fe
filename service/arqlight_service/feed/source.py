"""Where a consumer that begins, or comes back, reads what it missed."""

from collections.abc import Iterable
from typing import Any, Protocol

from arqlight_service.feed.tick import Event


class Source(Protocol):
    """The past of a feed, and what is true now."""

    async def can_resume(self, cursor: str) -> bool:
        """Whether the stream still has everything after `cursor`."""
        ...

    async def events_after(self, cursor: str) -> list[Event]:
        """A page of the events behind `cursor`, oldest first; empty at the end."""
        ...

    async def snapshot(self, topics: Iterable[str]) -> tuple[str, list[tuple[str, Any]]]:
        """The truth of `topics` now, and the cursor it stands at."""
        ...

    async def failed_changes(self, touched: list[str]) -> dict[str, Any]:
        """What became of the jobs `touched` in the failed list: `{"added": [job], "removed": [id]}`."""
        ...
