"""`arqlight alive`: a probe for containers."""

import asyncio
import socket

import click

from arqlight.connections.connection_errors import SERVER_ERRORS
from arqlight.connections.named import open_connection
from arqlight.errors import ServerUnreachable
from arqlight.settings import load_settings
from arqlight_service.cli.flags import to_environment


@click.command()
@click.option("--redis-url", callback=to_environment, expose_value=False, help="[env: ARQLIGHT_REDIS_URL]")
def alive() -> None:
    """Whether a worker of this host holds its lease: exit code 0 or 1. A probe for containers.

    0 as well while the server is away, which a restart of this host's worker would not bring back.
    """
    if not asyncio.run(_alive(socket.gethostname())):
        raise ServerUnreachable(f"no worker on {socket.gethostname()} holds a lease; is one running here?")


async def _alive(host: str) -> bool:
    settings = load_settings()
    connection = open_connection("default", settings.resolved_redis_url(), settings)
    try:
        return any(worker["host"] == host for worker in await connection.reader.workers())
    except SERVER_ERRORS:
        return True  # the server is away, which restarting this worker would not fix
    finally:
        await connection.close()
