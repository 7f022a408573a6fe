"""redis-py's connections, with a write that lets a cancellation through.

With a `socket_timeout` redis-py 5 writes within `asyncio.wait_for`, which on Python 3.11 swallows a cancellation that
comes as the write is over (CPython issue 86296): a task that was told to stop would go on for ever.
"""

import builtins
from typing import Any

from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import TimeoutError

from arqlight.journal.deadline import deadline


class _Cancellable:
    socket_timeout: float | None

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        write: Any = super().send_packed_command  # type: ignore[misc]
        longest_s, self.socket_timeout = self.socket_timeout, None
        try:
            if longest_s is None:
                await write(command, check_health)
            else:
                async with deadline(longest_s):
                    await write(command, check_health)
        except builtins.TimeoutError as error:
            await self.disconnect(nowait=True)  # type: ignore[attr-defined]
            raise TimeoutError(f"the server took nothing within {longest_s} s") from error
        finally:
            self.socket_timeout = longest_s


def make_cancellable(pool: ConnectionPool) -> ConnectionPool:
    """Let every connection of a pool be of this kind."""
    kind: type[AbstractConnection] = pool.connection_class
    pool.connection_class = type(kind.__name__, (_Cancellable, kind), {})
    return pool
