"""One client cannot take the event loop from the others: what each takes of it is measured, and has a bound.

A client that asks alone gets all it wants. Where others ask too, one that took more than its share waits for its turn:
before a request is handled, and in a long read between two slices (see `reading.PAUSE`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from aiohttp import web

from arqlight.jobs.reading import PAUSE
from arqlight_service.api.problems import Handler, Problem
from arqlight_service.auth.access import ACCESS
from arqlight_service.client_network import network_of

PROBES = ("/healthz", "/readyz")
AT_ONCE_S = 0.25  # of the loop's time, for somebody who opens a few pages
REQUEST_S = 0.0005  # what aiohttp takes for each request, before and behind its handler
PRESENT_S = 10.0  # so long after a request its client still counts as there
MOST_WAITING = 100  # requests of one client
LONGEST_SLEEP_S = 0.25


class Client:
    """What one client took of the loop, lately."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._left = AT_ONCE_S
        self._at = self.seen_at = time.monotonic()
        self.handled = self.waiting = 0
        self.turn = asyncio.Lock()

    def spend(self, seconds: float) -> None:
        """It took so much."""
        self._refill()
        self._left -= seconds

    def lacks_s(self) -> float:
        """How long until it has something left."""
        self._refill()
        return max(0.0, -self._left / self._share)

    def _refill(self) -> None:
        now = time.monotonic()
        self._left = min(AT_ONCE_S, self._left + (now - self._at) * self._share)
        self._at = now


class LoopShare:
    """Who asks now, and who has to wait."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._clients: dict[str, Client] = {}

    def client(self, network: str, *, counts: bool) -> Client:
        """The client of that network; with `counts`, it is there from now on for the others."""
        client = self._clients.get(network)
        if client is None:
            self._forget_who_left()
            client = self._clients[network] = Client(self._share)
            client.seen_at = float("-inf")
        if counts:
            client.seen_at = time.monotonic()
        return client

    async def turn(self, client: Client) -> None:
        """Return at once, or when a client that took more than its share may go on. Raises Problem 429."""
        if not client.lacks_s() or not self._is_shared_with(client):
            return
        if client.waiting >= MOST_WAITING:
            raise Problem(429, "too many requests of this address wait; send fewer at once", {"Retry-After": "2"})
        client.waiting += 1
        try:
            async with client.turn:
                while (lacks_s := client.lacks_s()) and self._is_shared_with(client):  # noqa: ASYNC110 - only time passes
                    await asyncio.sleep(min(lacks_s, LONGEST_SLEEP_S))
        finally:
            client.waiting -= 1

    def _is_shared_with(self, client: Client) -> bool:
        return any(self._is_there(other) for other in self._clients.values() if other is not client)

    def _forget_who_left(self) -> None:
        self._clients = {network: client for network, client in self._clients.items()
                         if client.handled or client.waiting or self._is_there(client) or client.lacks_s()}  # fmt: skip

    @staticmethod
    def _is_there(client: Client) -> bool:
        return time.monotonic() - client.seen_at < PRESENT_S or (client.handled > 0 and client.seen_at > 0)


class _Measured(Awaitable[Any]):
    """Runs a coroutine, and tells how long each of its steps kept the loop."""

    def __init__(self, work: Any, spend: Callable[[float], None]) -> None:
        self._work = work
        self._spend = spend

    def __await__(self) -> Generator[Any, Any, Any]:
        step, given = self._work.send, None
        while True:
            began = time.perf_counter()
            try:
                awaited = step(given)
            except StopIteration as end:
                return end.value
            finally:
                self._spend(time.perf_counter() - began)
            try:
                given, step = (yield awaited), self._work.send
            except BaseException as error:  # a cancellation, mostly: it is the work's to handle
                given, step = error, self._work.throw


LOOP_SHARE = web.AppKey("loop_share", LoopShare)


@web.middleware
async def share_the_loop(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Handle a request when it is its client's turn. Raises Problem 429."""
    share, is_probe = request.app[LOOP_SHARE], request.path in PROBES
    client = share.client(network_of(request.app[ACCESS].proxies.seen_through(request).remote), counts=not is_probe)
    client.spend(REQUEST_S)
    await share.turn(client)

    async def pause() -> None:
        await share.turn(client)
        await asyncio.sleep(0)

    PAUSE.set(pause)  # of this connection's task
    client.handled += 1
    try:
        response: web.StreamResponse = await _Measured(handler(request), client.spend)
        return response
    finally:
        client.handled -= 1
