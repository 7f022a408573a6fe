"""`arqlight alive`: a probe for containers."""

import asyncio
import socket

import click
from redis.asyncio import Redis
from redis.exceptions import RedisError

from arqlight.errors import ServerUnreachable
from arqlight.journal.reader import Reader
from arqlight.settings import load_settings
from arqlight_service.cli.flags import to_environment


@click.command()
@click.option("--redis-url", callback=to_environment, expose_value=False, help="[env: ARQLIGHT_REDIS_URL]")
def alive() -> None:
    """Whether a worker of this host holds its lease: exit code 0 or 1. A probe for containers."""
    if not asyncio.run(_alive(socket.gethostname())):
        raise ServerUnreachable(f"no worker on {socket.gethostname()} holds a lease; is one running here?")


async def _alive(host: str) -> bool:
    settings = load_settings()
    async with Redis.from_url(settings.resolved_redis_url(), socket_connect_timeout=3) as redis:
        try:
            return any(worker["host"] == host for worker in await Reader(redis, settings).workers())
        except RedisError:
            return True  # the server is away, which restarting this worker would not mend
