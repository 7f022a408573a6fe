"""What every proxy of the tests is: it listens, owns what it began, and cuts off all of it at its end."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

LARGEST = 1 << 24


class Proxy(ABC):
    """`async with … as proxy:` and connect to `proxy.port`; a subclass says what becomes of each connection."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=LARGEST)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        self._disconnect()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @abstractmethod
    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection."""

    def _run(self, *works: Coroutine[Any, Any, None]) -> None:
        """Do each in a task of its own."""
        for work in works:
            task = asyncio.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _disconnect(self) -> None:
        """Cut off whoever is connected."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
