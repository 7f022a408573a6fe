"""A line to the server: one connection of its own, for one caller after another.

redis-py's pool looks whether a connection still lives each time it hands one out, which costs a turn of the event
loop, and it packs commands in Python. On the path of every job both cost more than the job.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from hiredis import pack_command
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, RedisError, ResponseError

Command = tuple[str | bytes | int | float, ...]


class TakesNoWrites(ConnectionError):
    """The server is there and takes no writes for now: it is full, cannot save, or has too few replicas."""


# What such a server begins its refusals with (Valkey's `shared.noreplicaserr` and its neighbours in server.c).
_FOR_NOW = ("NOREPLICAS", "MISCONF", "OOM ", "MASTERDOWN", "command not allowed when used memory")


def _told(error: ResponseError) -> RedisError:
    """A refusal that may be over in a moment is waited out like a server that is away."""
    return TakesNoWrites(str(error)) if str(error).startswith(_FOR_NOW) else error


class DedicatedConnection:
    """Connected at the first call; after an error the next call connects anew. Errors are redis-py's own."""

    def __init__(self, redis: Redis) -> None:
        self._connection: Any = redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        self._lock = asyncio.Lock()

    async def call(self, *command: str | bytes | int | float) -> Any:
        """Send one command and return its answer.

        Raises redis's ConnectionError or TimeoutError when the server is away (the command may have been carried out
        all the same), ResponseError for what it refuses.
        """
        async with self._lock:
            await self._connection.connect()
            await self._connection.send_packed_command(pack_command(command))  # type: ignore[arg-type]
            try:
                return await self._connection.read_response()
            except ResponseError as error:
                raise _told(error) from None

    async def call_all(self, commands: Sequence[Command]) -> list[Any]:
        """Send several commands at once and return their answers; the first refusal is raised when all are read.

        Raises as `call` does.
        """
        async with self._lock:
            await self._connection.connect()
            await self._connection.send_packed_command(b"".join(map(pack_command, commands)))  # type: ignore[arg-type]
            answers: list[Any] = []
            refusal: RedisError | None = None
            for _ in commands:
                try:
                    answers.append(await self._connection.read_response())
                except ResponseError as error:
                    refusal = refusal or _told(error)
        if refusal:
            raise refusal
        return answers

    async def messages(self, channel: str) -> AsyncIterator[bytes]:
        """Subscribe, and give each message until the connection breaks; first b"", when the subscription stands."""
        async with self._lock:
            await self._connection.connect()
            await self._connection.send_packed_command(pack_command(("SUBSCRIBE", channel)))  # type: ignore[arg-type]
            while True:
                kind, _, data = await self._connection.read_response()
                yield data if kind == b"message" else b""

    async def close(self) -> None:
        """Hang up."""
        await self._connection.disconnect()
