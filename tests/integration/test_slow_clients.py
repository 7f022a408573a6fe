"""Connections that ask nothing, or slowly, or too much: the service behind its gate, on a real port."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, web
from arq.connections import ArqRedis

from arqlight.settings import Settings
from arqlight_service import slow_clients as gate
from arqlight_service.app import create_app
from arqlight_service.serve import GuardedSite
from arqlight_service.slow_clients import OpenConnections


@pytest.fixture
async def port(pool: ArqRedis, settings: Settings) -> AsyncIterator[int]:
    runner = web.AppRunner(create_app(settings), access_log=None)
    await runner.setup()
    site = GuardedSite(runner, "127.0.0.1", 0, OpenConnections(5))
    await site.start()
    yield int(site.name.rpartition(":")[2])
    await runner.cleanup()


async def _is_cut_off(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


async def test_a_request_that_comes_in_pieces_is_answered(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in (b"GET /healthz HT", b"TP/1.1\r\nHost: localhost\r\nConnection: close\r", b"\n\r", b"\n"):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.01)
    assert (await reader.read()).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_headers_that_never_end_are_cut_off(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "HEADERS_S", 0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    async with asyncio.timeout(5):
        assert (await reader.read()).startswith(b"HTTP/1.1 408")
    writer.close()


async def test_headers_that_are_too_large_are_cut_off(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nX: " + b"x" * gate.MOST_HEADER_BYTES)
    async with asyncio.timeout(5):
        assert await _is_cut_off(reader)
    writer.close()


async def test_one_address_holds_so_many_silent_connections_and_others_are_served_again(port: int) -> None:
    silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(5):
        assert await _is_cut_off(reader)
    writer.close()
    for _, each in silent:
        each.close()
    async with ClientSession() as session, asyncio.timeout(5):
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
                    assert answer.status == 200
                    break
            except OSError:
                await asyncio.sleep(0.05)
