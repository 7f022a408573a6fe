"""Before the service: a connection gets ten seconds to ask something, and one client gets so many connections.

aiohttp bounds how long a line and how large a body may be, and how long a connection may rest between requests; it does
not bound how long the first request's headers may take (the attack known as Slowloris), nor how many connections rest.
"""

import asyncio
import logging
import resource
from collections import Counter
from collections.abc import Callable

from aiohttp import web

from arqlight_service.client_network import network_of
from arqlight_service.feed.rate_limit import Allowance

logger = logging.getLogger("arqlight.access")
HEADERS_S = 10.0
MOST_HEADER_BYTES = 64 * 1024
BESIDE_FEEDS = 100  # connections of one client that carry requests, besides its open feeds
KEPT_FREE = 128  # file descriptors for servers and files
MOST_REMEMBERED = 10_000  # clients whose new connections are counted
TELL_S = 60.0
_END = b"\r\n\r\n"


class OpenConnections:
    """Counts the connections of each client from the first byte to the last.

    :param feeds: how many feeds one client may have open.
    :param is_proxy: whether an address is a proxy's, which brings many clients: only all its connections have a bound.
    """

    def __init__(self, feeds: int, is_proxy: Callable[[str], bool] = lambda address: False) -> None:
        self._most = max(2, _descriptors() - KEPT_FREE)
        self._most_silent = feeds
        self._most_of_one = min(feeds + BESIDE_FEEDS, max(1, self._most // 2))
        self._is_proxy = is_proxy
        self._open: Counter[str] = Counter()
        self._silent: Counter[str] = Counter()
        self._arrivals: dict[str, Allowance] = {}
        self._tells = Allowance(1 / TELL_S, 1)
        self._untold = 0

    def enter(self, address: str) -> str | None:
        """A client connects; under which name it is counted, or None: it is to go."""
        client = network_of(address)
        if refusal := self._refusal(client, self._is_proxy(address)):
            self._tell(address, refusal)
            return None
        self._open[client] += 1
        self._silent[client] += 1
        return client

    def speak(self, client: str) -> None:
        """The first request is there, or never comes."""
        _less(self._silent, client)

    def leave(self, client: str) -> None:
        """Gone."""
        _less(self._open, client)

    def _refusal(self, client: str, is_proxy: bool) -> str | None:
        """Why this client gets no further connection; None: it gets one."""
        if self._open.total() >= self._most:
            return f"{self._most} are open, as many as this process can have (ulimit -n)"
        if is_proxy:
            return None
        if not self._arrivals_of(client).take():
            return f"one client may open {self._most_of_one / 2:g} a second; keep connections open (keep-alive)"
        if self._silent[client] >= self._most_silent:
            return f"{self._most_silent} of one client ask for nothing (ARQLIGHT_SOCKETS_PER_ADDRESS)"
        if self._open[client] >= self._most_of_one:
            return f"{self._most_of_one} of one client are open (ARQLIGHT_SOCKETS_PER_ADDRESS)"
        return None

    def _arrivals_of(self, client: str) -> Allowance:
        arrivals = self._arrivals.get(client)
        if arrivals is None:
            while len(self._arrivals) >= MOST_REMEMBERED:
                del self._arrivals[next(iter(self._arrivals))]
            arrivals = self._arrivals[client] = Allowance(self._most_of_one / 2, self._most_of_one * 2)
        return arrivals

    def _tell(self, address: str, refusal: str) -> None:
        self._untold += 1
        if self._tells.take():
            logger.warning("%d connections were refused, the last one of %s: %s", self._untold, address, refusal)
            self._untold = 0


class SlowClientGuard(asyncio.Protocol):
    """Holds a connection until the headers of its first request are there; then aiohttp gets what comes."""

    def __init__(self, server: web.Server, connections: OpenConnections) -> None:
        self._server = server
        self._connections = connections
        self._client: str | None = None
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._handler: asyncio.Protocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody is there."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"a stream was expected, not {type(transport).__name__}")
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self._client = self._connections.enter(str(peer[0]) if isinstance(peer, tuple) else "local")
        if self._client is None:
            transport.abort()
            return
        self._timer = asyncio.get_running_loop().call_later(HEADERS_S, self._give_up)

    def data_received(self, data: bytes) -> None:
        """Part of a request, mostly all of it."""
        if self._handler is not None:
            self._handler.data_received(data)
            return
        if self._transport is None or self._transport.is_closing():
            return
        self._received += data
        if _END in self._received[-len(data) - 3 :]:
            self._hand_over(self._transport)
        elif len(self._received) > MOST_HEADER_BYTES:
            self._transport.abort()

    def eof_received(self) -> bool | None:
        """The client sends nothing more."""
        return self._handler.eof_received() if self._handler is not None else None

    def pause_writing(self) -> None:
        """The client reads too slowly."""
        if self._handler is not None:
            self._handler.pause_writing()

    def resume_writing(self) -> None:
        """The client reads again."""
        if self._handler is not None:
            self._handler.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        """Gone."""
        if self._client is None:
            return
        self._connections.leave(self._client)
        if self._handler is None:
            self._spoke(self._client)
        else:
            self._handler.connection_lost(error)

    def _hand_over(self, transport: asyncio.Transport) -> None:
        if self._client is not None:
            self._spoke(self._client)
        self._handler = self._server()
        self._handler.connection_made(transport)
        self._handler.data_received(bytes(self._received))
        self._received.clear()

    def _give_up(self) -> None:
        if self._transport is not None:
            self._transport.write(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            self._transport.close()

    def _spoke(self, client: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._connections.speak(client)


def _descriptors() -> int:
    """How many files this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1_000_000 if soft == resource.RLIM_INFINITY else soft


def _less(counter: Counter[str], client: str) -> None:
    counter[client] -= 1
    if counter[client] <= 0:
        del counter[client]
