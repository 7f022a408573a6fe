"""A Redis or Valkey where plain arq workers run, looked at and never written to.

arq keeps no list of failures and no stack traces, only a result of each job for a while: what failed is found among
those. Queues are found by their keys, whatever they are called. Commands that read are all that is sent, so a user with
`+@read` will do.
"""

from typing import Any, Literal

from arq.constants import default_queue_name
from redis.exceptions import NoPermissionError, RedisError

from arqlight.addresses import shown_redis
from arqlight.connections.connection_errors import reason_of
from arqlight.connections.observed.read_only import NoStream, ReadOnlyJournal
from arqlight.connections.observed.reader import ObservedReader
from arqlight.connections.redis.ping import ping
from arqlight.connections.redis_client import open_redis
from arqlight.connections.without_parts import WithoutParts
from arqlight.errors import Unusable


class ObservedConnection(WithoutParts):
    """Plain arq's own keys, read."""

    driver: Literal["redis"] = "redis"
    shown_driver = "observed"
    can_write = False

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.address = shown_redis(url)
        self.redis = open_redis(url, quiet=True)
        self.reader = ObservedReader(self.redis, name)
        self.journal = ReadOnlyJournal(name)
        self.stream = NoStream()

    def task_context(self) -> dict[str, Any]:
        """Nothing: no task runs here."""
        return {}

    async def ping(self) -> str:
        """The server's name and version, where its user may ask for them. Raises Unusable."""
        try:
            return await ping(self.redis, self.name, self.address)
        except Unusable as error:
            if not isinstance(error.__cause__, NoPermissionError):
                raise
        try:
            await self.redis.exists(default_queue_name)
        except (RedisError, OSError) as error:
            raise Unusable(f"connection {self.name!r} ({self.address}) cannot be read: {reason_of(error)}") from error
        return "a server that is only read"

    async def close(self) -> None:
        """Give up what is open."""
        await self.redis.aclose()
