"""What a command says when a server does not answer, or refuses: which one, why, and what to do."""

import contextlib
from collections.abc import Iterator

from redis.exceptions import AuthenticationError, ConnectionError, RedisError, TimeoutError

from arqlight.connections.connection import Connection
from arqlight.connections.connection_errors import reason_of
from arqlight.errors import ServerUnreachable


@contextlib.contextmanager
def from_server_of(connection: Connection) -> Iterator[None]:
    """In the body that connection is used. Raises ServerUnreachable in place of what Redis and the network raise."""
    try:
        yield
    except (RedisError, OSError) as error:
        reason = reason_of(error, tls=connection.address.startswith("rediss"))
        is_away = isinstance(error, ConnectionError | TimeoutError | OSError)
        if not is_away or isinstance(error, AuthenticationError) or "no database of that number" in reason:
            raise ServerUnreachable(f"the Redis or Valkey at {connection.address} refuses: {reason}") from error
        raise ServerUnreachable(
            f"no Redis or Valkey answers at {connection.address}: {reason}; start one with `arqlight up`, set "
            "ARQLIGHT_REDIS_URL, or set ARQLIGHT_DATA_DIR to the directory of an `arqlight up` that runs"
        ) from error
