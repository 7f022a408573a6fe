"""Who did what."""

from collections.abc import Sequence
from typing import Protocol

from arqlight.journal.audit_entry import KINDS, AuditEntry, Kind


class Audit(Protocol):
    """The audit list: what was done and refused, each kind for itself."""

    async def add(self, entry: AuditEntry) -> None:
        """Write one down."""
        ...

    async def newest(
        self, kinds: Sequence[Kind] = KINDS, before: str = "", since: str = "", limit: int = 50
    ) -> list[AuditEntry]:
        """The newest of these kinds, those before the id `before` and not before the id `since`."""
        ...

    async def oldest(self, kind: Kind, limit: int) -> list[AuditEntry]:
        """The oldest of a kind, the oldest first."""
        ...

    async def remove(self, entries: Sequence[AuditEntry]) -> None:
        """Take out those that are kept elsewhere now."""
        ...

    async def trim(self, kind: Kind, most: int, since: str) -> None:
        """Keep the newest `most` of a kind, and none from before the id `since`."""
        ...
