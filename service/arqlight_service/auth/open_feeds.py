"""Open feeds belong to somebody: one whose session ended, whose token was revoked or whose role changed is cut off."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

from arqlight.background import end, keep
from arqlight.connections.connection_errors import SERVER_ERRORS, reason_of
from arqlight_service.api.problems import Problem
from arqlight_service.app_keys import SETTINGS
from arqlight_service.auth.access import ACCESS, Access
from arqlight_service.auth.identity import Identity, identity_of
from arqlight_service.client_network import network_of

logger = logging.getLogger("arqlight.access")
EVERY_S = 2.0
REASONS = ("too slow", "not allowed any more", "too many frames")
Close = Callable[[], Awaitable[None]]


class Watch:
    """Knows the open feeds of this process, by who opened them and from where."""

    def __init__(self, access: Access, most_per_address: int) -> None:
        self._access = access
        self._most = most_per_address
        self._feeds: dict[object, tuple[Identity, Close]] = {}
        self._by_address: Counter[str] = Counter()
        self._closing: set[asyncio.Future[None]] = set()
        self.dropped = Counter(dict.fromkeys(REASONS, 0))

    @contextlib.asynccontextmanager
    async def feed(self, request: web.Request, close: Close) -> AsyncIterator[None]:
        """A feed that is open while the body runs; `close` cuts it off. Raises Problem 429 for one too many."""
        identity, address = identity_of(request), network_of(request.remote)
        if self._by_address[address] >= self._most:
            raise Problem(
                429,
                f"{self._most} feeds of {address} are open (ARQLIGHT_SOCKETS_PER_ADDRESS); close some",
                headers={"Retry-After": "10"},
            )
        place = object()
        self._by_address[address] += 1
        if identity is not None and not self._access.is_open:
            self._feeds[place] = (identity, close)
        try:
            yield
        finally:
            self._feeds.pop(place, None)
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    def number(self) -> int:
        """How many feeds are open."""
        return self._by_address.total()

    async def keep_watch(self) -> None:
        """Look every two seconds, at each identity once, until cancelled."""
        try:
            await self._keep_looking()
        finally:
            await end(*self._closing)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self._look()
            except SERVER_ERRORS as error:
                # Who is still welcome is not known while the server is away; its feeds close for that anyway.
                logger.warning("sessions of open feeds could not be checked: %s", reason_of(error))

    async def _look(self) -> None:
        good: dict[Identity, bool] = {}
        for place, (identity, close) in list(self._feeds.items()):
            if identity not in good:
                good[identity] = await self._access.is_still_good(identity)
            if not good[identity] and place in self._feeds:
                del self._feeds[place]
                self.dropped["not allowed any more"] += 1
                # Not waited for: a consumer may not answer the closing frame, and the others must not stay open for it.
                closing = asyncio.ensure_future(close())
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)


WATCH = web.AppKey("watch", Watch)


async def keep_watch(app: web.Application) -> AsyncIterator[None]:
    """Own the watch while the application runs."""
    app[WATCH] = watch = Watch(app[ACCESS], app[SETTINGS].sockets_per_address)
    task = keep("watch over open feeds", watch.keep_watch)
    yield
    await end(task)
