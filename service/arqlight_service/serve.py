"""Listen, answer, and stop in order: what `web.run_app` does, behind the gate."""

import asyncio
import signal
from collections.abc import Callable

from aiohttp import web

from arqlight.settings import Settings
from arqlight_service.auth.proxies import Proxies
from arqlight_service.readable_headers import with_readable_headers
from arqlight_service.slow_clients import OpenConnections, SlowClientGuard

# asyncio accepts so many at once, and with no descriptor left it writes so many lines a second to the log.
BACKLOG = 128
SHUTDOWN_S = 5.0
KEEPALIVE_S = 75.0
LINGERING_S = 2.0  # for the rest of a body that was refused


class GuardedSite(web.BaseSite):
    """A TCP site whose connections pass the gate."""

    def __init__(self, runner: web.BaseRunner, host: str, port: int, connections: OpenConnections) -> None:
        super().__init__(runner)
        self._host = host
        self._port = port
        self._connections = connections

    @property
    def name(self) -> str:
        """Where it listens."""
        bound = self._server.sockets[0].getsockname()[1] if isinstance(self._server, asyncio.Server) else self._port
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{bound}"

    async def start(self) -> None:
        """Listen."""
        await super().start()
        server = self._runner.server
        if server is None:
            raise RuntimeError("the runner was not set up")
        server.request_factory = with_readable_headers(server.request_factory)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SlowClientGuard(server, self._connections), self._host, self._port, backlog=BACKLOG
        )


async def serve(app: web.Application, settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; then feeds are told, and what is under way gets five seconds."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    runner = web.AppRunner(
        app, access_log=None, keepalive_timeout=KEEPALIVE_S, lingering_time=LINGERING_S, shutdown_timeout=SHUTDOWN_S
    )
    try:
        await runner.setup()
        connections = OpenConnections(settings.sockets_per_address, Proxies(settings).is_named)
        site = GuardedSite(runner, settings.host, settings.port, connections)
        await site.start()
        announce(f"arqlight is at {site.name}")
        await stopping.wait()
    finally:
        await runner.cleanup()
