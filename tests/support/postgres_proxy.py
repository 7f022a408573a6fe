"""A proxy before PostgreSQL that can be down, or go silent with its connections open."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import TracebackType

from sqlalchemy.engine import make_url


class PostgresProxy:
    """`async with PostgresProxy(url) as proxy:` and connect to `proxy.url`.

    :param url: of a server that listens on a Unix socket.
    """

    def __init__(self, url: str) -> None:
        there = make_url(url)
        self._socket = f"{there.query['host']}/.s.PGSQL.5432"
        self._there = there
        self._links: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._silence = asyncio.Event()
        self._is_down = False
        self.opened = 0
        self.refused = 0

    @property
    def url(self) -> str:
        """Its own address."""
        there = self._there.set(query={}, host="127.0.0.1", port=self.port)
        return there.render_as_string(hide_password=False)

    async def __aenter__(self) -> "PostgresProxy":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self._hang_up()
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def down(self) -> AsyncIterator[None]:
        """Cut off whoever is connected, and refuse whoever comes, while the body runs."""
        self._is_down = True
        self._hang_up()
        try:
            yield
        finally:
            self._is_down = False

    def go_silent(self) -> None:
        """Nothing passes any more over the connections that are open now; new ones are served."""
        self._silence.set()
        self._silence = asyncio.Event()

    def _hang_up(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_down:
            self.refused += 1
            writer.transport.abort()
            return
        self.opened += 1
        there_reader, there_writer = await asyncio.open_unix_connection(self._socket)
        self._writers |= {writer, there_writer}
        silence = self._silence
        for source, sink in ((reader, there_writer), (there_reader, writer)):
            link = asyncio.create_task(_pass(source, sink, silence))
            self._links.add(link)
            link.add_done_callback(self._links.discard)


async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter, silence: asyncio.Event) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(1 << 16):
            if silence.is_set():
                continue
            sink.write(data)
            await sink.drain()
    if not silence.is_set():
        sink.close()
