"""Endpoints, signatures, rotation, and where webhooks may not go; against a real receiver and the standard's verifier."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from arqlight.families.webhooks.delivery import (
    WAITS_S,
)
from arqlight.families.webhooks.network import refusal


class Receiver:
    """Answers as told, and keeps what it got."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] = {"text": "thanks"}
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        return web.Response(**self.answer)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    async with TestServer(app) as server:
        receiver.url = str(server.make_url("/hook"))
        yield receiver


def test_attempts_are_spread_over_more_than_a_day() -> None:
    assert sum(WAITS_S) > 24 * 3600
    backoff_waits = [5, 300, 1800]
    assert list(WAITS_S[:3]) == backoff_waits


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
     "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
     "2002:7f00:1::", "2001:db8::1", "ff02::1", "::127.0.0.1", "192.0.2.1", "198.18.0.1", "64:ff9b:1::7f00:1", "fec0::1"],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert refusal(address, ())


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "8.8.8.8"])
def test_a_public_address_is_not(address: str) -> None:
    assert refusal(address, ()) is None
