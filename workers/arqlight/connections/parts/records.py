"""Records by name."""

from typing import Protocol


class Records(Protocol):
    """Texts by name, kept until they are deleted."""

    async def get(self, name: str) -> str | None:
        """One; None when it is not there."""
        ...

    async def all(self) -> dict[str, str]:
        """Every record by its name, in no order."""
        ...

    async def set(self, name: str, text: str) -> None:
        """Write one, over what was there."""
        ...

    async def add(self, name: str, text: str) -> bool:
        """Write one that is not there yet; False when it is."""
        ...

    async def delete(self, name: str) -> bool:
        """Remove one; whether it was there."""
        ...
