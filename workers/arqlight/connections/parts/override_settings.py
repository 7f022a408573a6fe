"""Settings of queues and tasks that were changed at run time."""

from collections.abc import Mapping
from typing import Any, Protocol

from arqlight.jobs.overrides import Override, Overrides


class OverrideSettings(Protocol):
    """What was set for a queue or a task, over what the code says."""

    async def read(self) -> Overrides:
        """All that is set."""
        ...

    async def set(self, kind: str, name: str, values: Mapping[str, Any]) -> tuple[Override, Override]:
        """Set what `values` says for a `queue` (by key) or a `task`, instead of what was set; all of it or nothing.

        What was set before, and what is now. Raises InvalidInput, which names the field.
        """
        ...
