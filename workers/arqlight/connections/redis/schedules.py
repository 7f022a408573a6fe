"""Periodic jobs on a Redis or Valkey server."""

from collections.abc import Sequence

from redis.asyncio import Redis

from arqlight.jobs.periodic_job import PeriodicJob
from arqlight.journal import schedules
from arqlight.journal.journal import Journal


class RedisSchedules:
    """Reads, changes and fires them (see `parts.schedules.Schedules`)."""

    def __init__(self, redis: Redis, journal: Journal) -> None:
        self._redis = redis
        self._journal = journal

    async def ensure(self, periodic: Sequence[PeriodicJob]) -> None:
        """Note those that are not there yet."""
        await schedules.ensure_schedules(self._redis, periodic)

    async def all(self) -> list[PeriodicJob]:
        """All, by name."""
        return await schedules.read_schedules(self._redis)

    async def find(self, name: str) -> PeriodicJob:
        """One. Raises NotFound."""
        return await schedules.find_schedule(self._redis, name)

    async def change(
        self,
        name: str,
        *,
        cron: str | None = None,
        jitter_s: float | None = None,
        enabled: bool | None = None,
    ) -> tuple[PeriodicJob, PeriodicJob]:
        """Change what is given; what it was, and what it is. Raises NotFound, InvalidInput."""
        return await schedules.change_schedule(self._redis, name, cron=cron, jitter_s=jitter_s, enabled=enabled)

    async def last_jobs(self) -> dict[str, str]:
        """The id of each schedule's last job."""
        return await schedules.last_jobs(self._redis)

    async def fire_now(self, name: str) -> str:
        """Enqueue a schedule's job at once; its id. Raises NotFound."""
        return await schedules.fire_now(self._redis, self._journal, name)
