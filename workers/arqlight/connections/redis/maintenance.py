"""Maintenance of a Redis or Valkey server."""

from redis.asyncio import Redis

from arqlight.connections.finding import Finding
from arqlight.connections.redis.queue_finder import QueueFinder
from arqlight.connections.redis.server_findings import server_findings
from arqlight.connections.redis.server_health import coming_trouble
from arqlight.connections.server_memory import ServerMemory
from arqlight.journal.journal import Journal


class RedisMaintenance:
    """See `parts.maintenance.Maintenance`.

    :param where: the connection, in words, for what is found.
    """

    def __init__(self, redis: Redis, journal: Journal, where: str) -> None:
        self._redis = redis
        self._journal = journal
        self._where = where

    async def keep_finding_queues(self) -> None:
        """Find queues until cancelled."""
        await QueueFinder(self._redis, self._journal).run()

    async def preserve(self) -> None:
        """Keep the arguments of jobs that wait from expiring."""
        await self._journal.preserve()

    async def warnings(self) -> list[str]:
        """What will stop jobs or lose them, the worst first."""
        return await coming_trouble(self._redis)

    async def memory(self) -> ServerMemory:
        """What the server holds now."""
        about = await self._redis.info("memory")
        return ServerMemory(int(about["used_memory"]), int(about.get("maxmemory", 0)))

    async def findings(self) -> list[Finding]:
        """For the doctor."""
        return await server_findings(self._redis, self._where)
