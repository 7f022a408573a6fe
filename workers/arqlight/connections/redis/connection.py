"""A Redis or Valkey server as a connection: every part, over one pool."""

from typing import Any, Literal

from arqlight.addresses import shown_redis
from arqlight.connections.parts import Part
from arqlight.connections.redis.audit import RedisAudit
from arqlight.connections.redis.counters import RedisCounters
from arqlight.connections.redis.log import RedisLog
from arqlight.connections.redis.maintenance import RedisMaintenance
from arqlight.connections.redis.override_settings import RedisOverrideSettings
from arqlight.connections.redis.ping import ping
from arqlight.connections.redis.schedules import RedisSchedules
from arqlight.connections.redis.store import RedisStore
from arqlight.connections.redis.stream import RedisStream
from arqlight.connections.redis_client import open_redis
from arqlight.journal.journal import Journal
from arqlight.journal.reader import Reader
from arqlight.settings import Settings


class RedisConnection:
    """Jobs on one server, over one pool of connections. It may be away: each call says so then."""

    driver: Literal["redis"] = "redis"
    shown_driver = "redis"
    can_write = True

    def __init__(self, name: str, url: str, settings: Settings) -> None:
        self.name = name
        self.address = shown_redis(url)
        self.redis = open_redis(url)
        self.journal = Journal(self.redis, settings)
        self.reader = Reader(self.redis, settings, name)
        self.stream = RedisStream(self.redis, settings.keep_events)
        self.log = RedisLog(self.redis, self.reader.scripts)
        self.schedules = RedisSchedules(self.redis, self.journal)
        self.overrides = RedisOverrideSettings(self.redis, self.reader.scripts)
        self.counters = RedisCounters(self.redis)
        self.audit = RedisAudit(self.redis)
        where = f"connection {name!r} ({self.address})"
        self.maintenance = RedisMaintenance(self.redis, self.journal, self.reader, where)
        self.store = RedisStore(self.redis)

    def supports(self, part: Part) -> bool:
        """Every part."""
        return True

    def task_context(self) -> dict[str, Any]:
        """`redis`, as arq's own worker puts it there."""
        return {"redis": self.redis}

    async def ping(self) -> str:
        """The server's name and version. Raises Unusable."""
        return await ping(self.redis, self.name, self.address)

    async def close(self) -> None:
        """Give up what is open."""
        await self.redis.aclose()
