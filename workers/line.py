"""A line to the server: one connection of its own, for one caller after another.

redis-py's pool looks whether a connection still lives each time it hands one out, which costs a turn of the event
loop, and it packs commands in Python. On the path of every job both cost more than the job.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from hiredis import pack_command
from redis.asyncio import Redis
from redis.exceptions import ResponseError

Command = tuple[str | bytes | int | float, ...]


class Line:
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
            return await self._connection.read_response()

    async def call_all(self, commands: Sequence[Command]) -> list[Any]:
        """Send several commands at once and return their answers; the first refusal is raised when all are read.

        Raises as `call` does.
        """
        async with self._lock:
            await self._connection.connect()
            await self._connection.send_packed_command(b"".join(map(pack_command, commands)))  # type: ignore[arg-type]
            answers: list[Any] = []
            refusal: ResponseError | None = None
            for _ in commands:
                try:
                    answers.append(await self._connection.read_response())
                except ResponseError as error:
                    refusal = refusal or error
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
