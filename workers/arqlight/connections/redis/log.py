"""The log of a Redis or Valkey server: a capped stream."""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from arqlight.jobs.log_line import LogLine
from arqlight.journal.log_reader import LogFilter, newest_line, read_log
from arqlight.journal.scripting import Scripts


class RedisLog:
    """Reads and writes lines (see `parts.log.Log`)."""

    def __init__(self, redis: Redis, scripts: Scripts) -> None:
        self._redis = redis
        self._scripts = scripts

    async def lines(
        self, where: LogFilter, *, limit: int = 100, before: str | None = None, after: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Lines, the newest first, and the id to go on before. Raises CursorInvalid."""
        return await read_log(self._redis, where, limit=limit, before=before, after=after)

    async def newest(self) -> str | None:
        """The id of the newest line."""
        return await newest_line(self._redis)

    async def write(self, lines: Sequence[LogLine]) -> None:
        """Keep a group of lines, in one script."""
        await self._scripts.run("log", *(part for line in lines for part in line))
