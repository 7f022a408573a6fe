"""Sync of marketplaces, against a server that answers as their documentation says."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestServer

from arqlight.families.sync.settings import SyncSettings
from arqlight.settings import load_settings
from tests.support.marketplaces import Marketplaces


@pytest.fixture
async def market() -> AsyncIterator[Marketplaces]:
    market = Marketplaces()
    async with TestServer(market.application()) as server:
        market.url = str(server.make_url(""))  # type: ignore[attr-defined]
        yield market


@pytest.mark.parametrize("token", ["secret-token\n", " secret-token", "secret token", "secret\x07token"])
def test_a_token_with_a_newline_is_refused_at_the_start_and_not_shown(token: str) -> None:
    with pytest.raises(Exception, match=r"ARQLIGHT_ENVATO_TOKEN: it (begins or ends|holds)") as refused:
        load_settings(envato_token=token).of(SyncSettings)
    assert "secret" not in str(refused.value)
