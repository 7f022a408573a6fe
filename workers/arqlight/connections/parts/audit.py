"""Who changed what."""

from typing import Any, Protocol

from arqlight.journal.audit import AUDIT_ENTRIES


class Audit(Protocol):
    """The changes that people and programs made, the newest first."""

    async def note(self, who: str, what: str, before: Any, after: Any) -> None:
        """Add a change; `before` and `after` are JSON values."""
        ...

    async def read(self, limit: int = AUDIT_ENTRIES) -> list[dict[str, Any]]:
        """The newest changes: `{"at", "who", "what", "from", "to"}`."""
        ...

    async def trim(self, most: int) -> None:
        """Keep the newest `most`."""
        ...
