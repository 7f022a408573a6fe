"""Those that the containers speak to: a webhook receiver and two marketplaces in a thread, PostgreSQL over TCP."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
from aiohttp import web

from arqlight.embedded.account import account
from arqlight.embedded.postgres import postgres_server, programs, start, stop
from tests.support.marketplaces import Marketplaces


class Parties:
    """`received` are webhooks, (path, headers, body); those to a path in `held` are answered when it is taken out."""

    def __init__(self) -> None:
        self.market = Marketplaces()
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        self.held: set[str] = set()
        self.address = ""
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> "Parties":
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = self.market.application()
        app.router.add_post("/{tail:.*}", self._receive)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        self.received.append((request.path, dict(request.headers), await request.read()))
        while request.path in self.held:
            await asyncio.sleep(0.01)
        return web.json_response({"received": True})


@contextlib.contextmanager
def postgres_over_tcp(folder: Path, name: str, password: str) -> Iterator[str]:
    """Its host and port. A role and a database of that name are there, and the role's password is asked for."""
    with postgres_server(folder) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'".encode())
        connection.execute(f"CREATE DATABASE {name} OWNER {name}".encode())
    rules = folder / "pg_hba.conf"
    rules.write_text("host all all 127.0.0.1/32 scram-sha-256\n")
    port = free_port()
    with account(folder, programs()) as runs_as:
        start(runs_as, f"-h 127.0.0.1 -p {port} -c unix_socket_directories=''")
        try:
            yield f"127.0.0.1:{port}"
        finally:
            stop(runs_as)


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
