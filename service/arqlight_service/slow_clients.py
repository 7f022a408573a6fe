"""Before the service: a connection gets ten seconds to ask something, and one address gets so many that ask nothing.

aiohttp bounds how long a line and how large a body may be, and how long a connection may rest between requests; it does
not bound how long the first request's headers may take (the attack known as Slowloris).
"""

import asyncio
from collections import Counter

from aiohttp import web

HEADERS_S = 10.0
MOST_HEADER_BYTES = 64 * 1024
_END = b"\r\n\r\n"


class SlowClientGuard(asyncio.Protocol):
    """Holds a connection until the headers of its first request are there; aiohttp has it from then on."""

    def __init__(self, server: web.Server, waiting: Counter[str], most: int) -> None:
        self._server = server
        self._waiting = waiting
        self._most = most
        self._address = ""
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody is there."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"a stream was expected, not {type(transport).__name__}")
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if isinstance(peer, tuple) else "local"
        self._waiting[self._address] += 1
        if self._waiting[self._address] > self._most:
            transport.abort()
            return
        self._timer = asyncio.get_running_loop().call_later(HEADERS_S, self._give_up)

    def data_received(self, data: bytes) -> None:
        """Part of a request, mostly all of it."""
        if self._transport is None or self._transport.is_closing():
            return
        self._received += data
        if _END in self._received[-len(data) - 3 :]:
            self._hand_over(self._transport)
        elif len(self._received) > MOST_HEADER_BYTES:
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """Gone before it asked anything."""
        self._leave()

    def _hand_over(self, transport: asyncio.Transport) -> None:
        self._leave()
        handler = self._server()
        transport.set_protocol(handler)
        handler.connection_made(transport)
        handler.data_received(bytes(self._received))

    def _give_up(self) -> None:
        if self._transport is not None:
            self._transport.write(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            self._transport.close()

    def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._waiting[self._address] -= 1
        if self._waiting[self._address] <= 0:
            del self._waiting[self._address]
