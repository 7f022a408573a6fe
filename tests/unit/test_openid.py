"""Sign-in at an OpenID Connect provider: who comes back with a good token gets in with the role of the name, nobody else."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestServer

from arqlight.errors import SettingsError
from arqlight.settings import load_settings
from arqlight_service.auth.middleware import refuse_open_service
from tests.support.provider import OpenIdProvider


@pytest.fixture
async def provider() -> AsyncIterator[OpenIdProvider]:
    provider = OpenIdProvider()
    async with TestServer(provider.application(), host="127.0.0.1") as server:
        provider.url = str(server.make_url("")).rstrip("/")
        yield provider


def test_a_half_set_provider_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="ARQLIGHT_OIDC_ISSUER"):
        refuse_open_service(load_settings(auth="oidc", oidc_issuer="https://accounts.example.org"))
