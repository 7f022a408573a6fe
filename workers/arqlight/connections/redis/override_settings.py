"""Settings that were changed at run time, on a Redis or Valkey server."""

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from arqlight.jobs.overrides import Override, Overrides
from arqlight.journal.overrides import read_overrides, set_override
from arqlight.journal.scripting import Scripts


class RedisOverrideSettings:
    """Reads and sets them; running workers follow within moments (see `parts.override_settings.OverrideSettings`)."""

    def __init__(self, redis: Redis, scripts: Scripts) -> None:
        self._redis = redis
        self._scripts = scripts

    async def read(self) -> Overrides:
        """All that is set."""
        return await read_overrides(self._redis)

    async def set(self, kind: str, name: str, values: Mapping[str, Any]) -> tuple[Override, Override]:
        """Set what `values` says. Raises InvalidInput."""
        return await set_override(self._redis, self._scripts, kind, name, values)
