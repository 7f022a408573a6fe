"""A line to the server: one connection of its own, for one caller after another.

redis-py's pool looks whether a connection still lives each time it hands one out, which costs a turn of the event
loop, and it packs commands in Python. On the path of every job both cost more than the job.
"""

import asyncio
import builtins
import contextlib
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, TypeVar

from hiredis import pack_command
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, RedisError, ResponseError, TimeoutError

from arqlight.journal.deadline import CALL_S, deadline, quiet_for

T = TypeVar("T")
Command = tuple[str | bytes | int | float, ...]


# A subscription to which nothing comes for so long is asked whether it lives.
QUIET_S = 15.0


class TakesNothingNow(ConnectionError):
    """The server is there and refuses for now: it is busy, full, starting, cannot save, or has too few replicas."""


# What such a server begins its refusals with (Valkey's `shared.noreplicaserr` and its neighbours in server.c).
_FOR_NOW = (
    "BUSY ", "LOADING", "READONLY", "NOREPLICAS", "MISCONF", "OOM ", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN",
    "command not allowed when used memory",
)  # fmt: skip


def for_now(error: ResponseError) -> RedisError:
    """A refusal that may be over in a moment is waited out like a server that is away."""
    return TakesNothingNow(str(error)) if str(error).startswith(_FOR_NOW) else error


class DedicatedConnection:
    """Connected at the first call; after an error the next call connects anew. Errors are redis-py's own.

    Every call has a deadline: that of the address (`socket_timeout`), or ours.
    """

    def __init__(self, redis: Redis) -> None:
        self._connection: Any = redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        self._longest_s = self._connection.socket_timeout or CALL_S
        self._connection.socket_timeout = None  # the deadline is kept here, see `deadline`
        self._lock = asyncio.Lock()

    async def call(self, *command: str | bytes | int | float, waits_s: float = 0) -> Any:
        """Send one command and return its answer.

        :param waits_s: how long the command itself waits, for a blocking one.

        Raises redis's ConnectionError or TimeoutError when the server is away (the command may have been carried out
        all the same), ResponseError for what it refuses.
        """
        async with self._lock:
            return await self._in_time(self._exchange(command), waits_s)

    async def _exchange(self, command: Command) -> Any:
        await self._send(*command)
        try:
            return await self._connection.read_response()
        except ResponseError as error:
            raise for_now(error) from None

    async def call_all(self, commands: Sequence[Command]) -> list[Any]:
        """Send several commands at once and return their answers; the first refusal is raised when all are read.

        Raises as `call` does.
        """
        async with self._lock:
            answers, refusal = await self._in_time(self._exchange_all(commands))
        if refusal:
            raise refusal
        return answers

    async def _exchange_all(self, commands: Sequence[Command]) -> tuple[list[Any], RedisError | None]:
        await self._connection.connect()
        await self._connection.send_packed_command(b"".join(map(pack_command, commands)))  # type: ignore[arg-type]
        answers: list[Any] = []
        refusal: RedisError | None = None
        for _ in commands:
            try:
                answers.append(await self._connection.read_response())
            except ResponseError as error:
                refusal = refusal or for_now(error)
        return answers, refusal

    async def messages(self, channel: str) -> AsyncIterator[bytes]:
        """Subscribe, and give each message until the connection breaks; first b"", when the subscription stands."""
        async with self._lock:
            await self._in_time(self._send("SUBSCRIBE", channel))
            while True:
                with contextlib.suppress(builtins.TimeoutError):
                    async with quiet_for(QUIET_S) as heard:
                        while True:
                            kind, *_, data = await self._connection.read_response(disconnect_on_error=False)
                            heard()
                            if kind in (b"message", b"subscribe"):
                                yield data if kind == b"message" else b""
                kind, *_, data = await self._in_time(self._exchange(("PING",)))
                if kind == b"message":
                    yield data

    async def _send(self, *command: str | bytes | int | float) -> None:
        await self._connection.connect()
        await self._connection.send_packed_command(pack_command(command))  # type: ignore[arg-type]

    async def _in_time(self, work: Coroutine[Any, Any, T], more_s: float = 0) -> T:
        longest_s = self._longest_s + more_s
        try:
            async with deadline(longest_s):
                return await work
        except builtins.TimeoutError:
            await self._connection.disconnect(nowait=True)
            raise TimeoutError(f"the server did not answer within {longest_s:g} s") from None

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.disconnect()
