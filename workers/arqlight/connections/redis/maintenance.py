"""Maintenance of a Redis or Valkey server."""

from redis.asyncio import Redis

from arqlight.connections.finding import Finding, trouble
from arqlight.connections.redis.queue_finder import QueueFinder
from arqlight.connections.redis.server_findings import server_findings
from arqlight.connections.redis.server_health import coming_trouble
from arqlight.connections.server_memory import ServerMemory
from arqlight.jobs.queues import queue_name
from arqlight.journal.journal import Journal
from arqlight.journal.reader import Reader


class RedisMaintenance:
    """See `parts.maintenance.Maintenance`.

    :param where: the connection, in words, for what is found.
    """

    def __init__(self, redis: Redis, journal: Journal, reader: Reader, where: str) -> None:
        self._redis = redis
        self._reader = reader
        self._journal = journal
        self._where = where

    async def keep_finding_queues(self) -> None:
        """Find queues until cancelled."""
        await QueueFinder(self._redis, self._journal).run()

    async def look_after_queues(self) -> None:
        """Keep the arguments of what waits, and the list of queues that hold jobs."""
        await self._journal.look_after_queues()

    async def warnings(self) -> list[str]:
        """What will stop jobs or lose them, the worst first."""
        return [*await coming_trouble(self._redis), *map(_stranded, await self._reader.stranded())]

    async def memory(self) -> ServerMemory:
        """What the server holds now."""
        about = await self._redis.info("memory")
        return ServerMemory(int(about["used_memory"]), int(about.get("maxmemory", 0)))

    async def findings(self) -> list[Finding]:
        """For the doctor."""
        stranded = [
            trouble("no worker for a task", f"{self._where}: {_stranded(one)}") for one in await self._reader.stranded()
        ]
        return [*stranded, *await server_findings(self._redis, self._where)]


def _stranded(found: tuple[str, str, str]) -> str:
    queue, task, worker = found
    last = f"worker {worker} had it last" if worker else "none that is known ever had it"
    return (
        f"jobs of {task!r} wait in queue {queue_name(queue)!r} and no living worker of that queue has this task; "
        f"{last}: start the worker of the application that has it"
    )
