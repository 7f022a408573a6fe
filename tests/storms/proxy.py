"""A proxy before a server that holds back every answer and every question for a while."""

import asyncio

from tests.support.proxy import Proxy


class SlowProxy(Proxy):
    """`async with SlowProxy(port, delay_s=0.05) as proxy:` and connect to `proxy.port`."""

    def __init__(self, target_port: int, delay_s: float) -> None:
        super().__init__()
        self._target_port = target_port
        self._delay_s = delay_s

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        self._writers |= {writer, there_writer}
        self._run(self._pipe(reader, there_writer), self._pipe(there_reader, writer))

    async def _pipe(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(1 << 16):
                await asyncio.sleep(self._delay_s)
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            return
        finally:
            sink.close()
