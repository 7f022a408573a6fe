"""Bytes that are no text, at the service on a real port: refused or read, never an error of ours."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from arq.connections import ArqRedis

from arqlight.settings import Settings
from arqlight_service.app import create_app
from arqlight_service.serve import GuardedSite
from arqlight_service.slow_clients import OpenConnections
from tests.support.hostile_requests import status_of


@pytest.fixture
async def port(pool: ArqRedis, settings: Settings) -> AsyncIterator[int]:
    runner = web.AppRunner(create_app(settings.changed(trusted_proxies="127.0.0.1/32")), access_log=None)
    await runner.setup()
    site = GuardedSite(runner, "127.0.0.1", 0, OpenConnections(100))
    await site.start()
    yield int(site.name.rpartition(":")[2])
    await runner.cleanup()


@pytest.mark.parametrize(
    ("path", "header", "status"),
    [
        (b"/jobs", b"Expect: \xff", 200), (b"/nothing", b"Expect: \xff", 404), (b"/jobs", b"Cookie: arqlight=\xff", 200),
        (b"/jobs", b"Referer: \xed\xa0\x80", 200), (b"/jobs", b"X-Forwarded-Host: http://[v1.x]/", 400),
        (b"/jobs/a%00b", b"Accept: text/html", 404), (b"/static/%00", b"Accept: text/html", 404),
        (b"/static/" + b"x" * 300, b"Accept: text/html", 404),
        (b"/jobs?q=%00", b"Accept: text/html", 400), (b"/api/v1/jobs?%00=1", b"Accept: text/html", 400),
    ],
)  # fmt: skip
async def test_bytes_that_are_no_text_are_answered_below_500(
    port: int, path: bytes, header: bytes, status: int
) -> None:
    raw = b"GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n" % (path, header)
    assert await status_of("127.0.0.1", port, raw) == status


@pytest.mark.parametrize(
    ("header", "status"),
    [(b"Origin: http://[", 403), (b"Origin: http://[v1.x]/", 403), (b"Content-Encoding: gzip", 400),
     (b"Content-Encoding: deflate", 400)],
)  # fmt: skip
async def test_a_form_whose_headers_do_not_fit_is_refused(port: int, header: bytes, status: int) -> None:
    form = b"name=ada&password=x"
    raw = (
        b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: %d\r\n%s\r\n\r\n%s" % (len(form), header, form)
    )
    assert await status_of("127.0.0.1", port, raw) == status


async def test_a_handshake_of_the_feed_with_a_key_that_is_no_text_is_refused(port: int) -> None:
    raw = (
        b"GET /api/v1/feed HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \xff\xfe\r\n\r\n"
    )
    assert await status_of("127.0.0.1", port, raw) == 400
