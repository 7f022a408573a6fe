"""A proxy before PostgreSQL that can be down, or go silent with its connections open."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from sqlalchemy.engine import make_url

from tests.support.proxy import Proxy


class PostgresProxy(Proxy):
    """`async with PostgresProxy(url) as proxy:` and connect to `proxy.url`.

    :param url: of a server that listens on a Unix socket.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        there = make_url(url)
        self._socket = f"{there.query['host']}/.s.PGSQL.5432"
        self._there = there
        self._silence = asyncio.Event()
        self._is_down = False
        self.opened = 0
        self.refused = 0

    @property
    def url(self) -> str:
        """Its own address."""
        there = self._there.set(query={}, host="127.0.0.1", port=self.port)
        return there.render_as_string(hide_password=False)

    @contextlib.asynccontextmanager
    async def down(self) -> AsyncIterator[None]:
        """Cut off whoever is connected, and refuse whoever comes, while the body runs."""
        self._is_down = True
        self._disconnect()
        try:
            yield
        finally:
            self._is_down = False

    def go_silent(self) -> None:
        """Nothing passes any more over the connections that are open now; new ones are served."""
        self._silence.set()
        self._silence = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_down:
            self.refused += 1
            writer.transport.abort()
            return
        self.opened += 1
        there_reader, there_writer = await asyncio.open_unix_connection(self._socket)
        self._writers |= {writer, there_writer}
        silence = self._silence
        self._run(_pass(reader, there_writer, silence), _pass(there_reader, writer, silence))


async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter, silence: asyncio.Event) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(1 << 16):
            if silence.is_set():
                continue
            sink.write(data)
            await sink.drain()
    if not silence.is_set():
        sink.close()
