"""E-mail and webhooks against real servers."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from arqlight.families.email.message import InvalidEmail, compose
from arqlight.families.email.rendering import Rendered
from arqlight.families.retry_after import retry_after_s


@pytest.mark.parametrize("to", ["", "nobody", "a@b\nBcc: c@d", "@", "a@", "two@x.org, three@x.org extra@"])
def test_an_address_that_is_none_is_refused_for_good(to: str) -> None:
    with pytest.raises(InvalidEmail):
        compose("a@b.org", to, Rendered("a", "b", "c"), "x")


class Receiver:
    """A webhook address that answers as told and keeps what it got."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] = {"text": "thanks"}
        self.got: list[tuple[dict[str, str], bytes]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        return web.Response(**self.answer)


@pytest.fixture
async def receiver() -> Any:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        yield receiver, str(server.make_url("/hook")), session


def test_retry_after_is_read_as_the_rfc_writes_it() -> None:
    assert retry_after_s("120") == 120
    soon = retry_after_s(format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True))
    assert soon is not None
    assert 55 < soon <= 60
    for nowhen in (
        "9" * 5_000,
        "Mon, 99999999999999999999 Jan 2020 00:00:00",
        "1 Jan " + "9" * 5_000 + " 00:00:00 GMT",
    ):
        assert retry_after_s(nowhen) in (None, float("inf"))
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    for nothing in (None, "soon", "-5", ""):
        assert retry_after_s(nothing) is None
