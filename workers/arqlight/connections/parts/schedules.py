"""Periodic jobs."""

from collections.abc import Sequence
from typing import Protocol

from arqlight.jobs.periodic_job import PeriodicJob


class Schedules(Protocol):
    """Periodic jobs as the server keeps them; people may change them."""

    async def ensure(self, periodic: Sequence[PeriodicJob]) -> None:
        """Note those that are not there yet; what people changed stays."""
        ...

    async def all(self) -> list[PeriodicJob]:
        """All, by name."""
        ...

    async def find(self, name: str) -> PeriodicJob:
        """One. Raises NotFound."""
        ...

    async def change(
        self,
        name: str,
        *,
        cron: str | None = None,
        jitter_s: float | None = None,
        enabled: bool | None = None,
    ) -> tuple[PeriodicJob, PeriodicJob]:
        """Change what is given; what it was, and what it is. Raises NotFound, InvalidInput."""
        ...

    async def last_jobs(self) -> dict[str, str]:
        """The id of each schedule's last job."""
        ...

    async def fire_now(self, name: str) -> str:
        """Enqueue a schedule's job at once, besides when it is due; the job's id. Raises NotFound."""
        ...
