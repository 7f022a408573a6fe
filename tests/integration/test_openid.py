"""Sign-in at an OpenID Connect provider: who comes back with a good token gets in with the role of the name, nobody else."""

import gzip
import time
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from arq.connections import ArqRedis
from joserfc.jwk import OctKey, RSAKey
from playwright.async_api import Browser, expect
from yarl import URL

from arqlight.checked_fields import Secret
from arqlight.settings import Settings
from tests.support.access import guarded
from tests.support.provider import CLIENT, SECRET, OpenIdProvider
from tests.support.waiting import eventually

ROLES = "ada@example.org=admin,*@example.org=viewer"


@pytest.fixture
async def provider() -> AsyncIterator[OpenIdProvider]:
    provider = OpenIdProvider()
    async with TestServer(provider.application(), host="127.0.0.1") as server:
        provider.url = str(server.make_url("")).rstrip("/")
        yield provider


def by(provider: OpenIdProvider) -> dict[str, Any]:
    return {
        "auth": "oidc", "oidc_issuer": provider.url, "oidc_client_id": CLIENT, "oidc_client_secret": Secret(SECRET),
        "roles": ROLES,
    }  # fmt: skip


async def test_a_person_signs_in_at_the_provider_and_lands_where_they_wanted(
    browser: Browser, provider: OpenIdProvider, pool: ArqRedis, settings: Settings
) -> None:
    async with guarded(settings, **by(provider)) as client:
        page = await browser.new_page(base_url=str(client.make_url("/")))
        await page.goto("/jobs?state=failed")
        await page.get_by_role("link", name="Sign in with 127.0.0.1").click()
        await expect(page.locator(".who")).to_contain_text("ada@example.org")
        await expect(page.locator(".who")).to_contain_text("admin")
        assert page.url.endswith("/jobs?state=failed")
        await page.goto("/")
        await expect(page.locator(".live")).to_have_attribute("data-feed", "on")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def attempt(client: Any) -> Any:
    """As a browser goes: to the provider, and back."""
    away = await client.get("/sign-in/provider?next=/failed", allow_redirects=False)
    assert away.status == 303, await away.text()
    there = await client.session.get(away.headers["Location"], allow_redirects=False)
    return await client.session.get(there.headers["Location"], allow_redirects=False)


async def test_the_name_decides_the_role(provider: OpenIdProvider, pool: ArqRedis, settings: Settings) -> None:
    async with guarded(settings, **by(provider)) as client:
        provider.person = {"sub": "2", "email": "bob@example.org", "email_verified": True}
        back = await attempt(client)
        assert (back.status, back.headers["Location"]) == (303, "/failed")
        me = await (await client.get("/api/v1/me")).json()
        assert me == {"name": "bob@example.org", "role": "viewer", "by": "session"}
        audit = (await (await client.get("/api/v1/audit")).json())["items"]
        assert audit[0]["who"] == "bob@example.org"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nonce": "another"}, "ID token is not valid"),
        ({"nonce": None}, "ID token is not valid"),
        ({"aud": "another-client"}, "ID token is not valid"),
        ({"aud": [CLIENT, "another"], "azp": "another"}, "made for another client"),
        ({"iss": "https://evil.example"}, "ID token is not valid"),
        ({"exp": 1}, "ID token is not valid"),
        ({"sub": None}, "ID token is not valid"),
        ({"email": None}, "has no claim email"),
        ({"email_verified": False}, "email_verified: true"),
        ({"email_verified": None}, "email_verified: true"),
        ({"email_verified": "true"}, "email_verified: true"),
        ({"email_verified": 1}, "email_verified: true"),
        ({"email": "\uff41da@example.org"}, "has no role here"),
        ({"email": "eve@evil.example"}, "has no role here"),
    ],
)
async def test_an_id_token_that_is_not_good_lets_nobody_in(
    provider: OpenIdProvider, pool: ArqRedis, settings: Settings, change: dict[str, Any], words: str
) -> None:
    async with guarded(settings, **by(provider)) as client:
        provider.change = change
        back = await attempt(client)
        assert (back.status, words in (await back.json())["detail"]) == (403, True), await back.text()
        assert (await client.get("/api/v1/me")).status == 401


async def test_a_name_that_is_no_mail_address_needs_no_verified_one(
    provider: OpenIdProvider, pool: ArqRedis, settings: Settings
) -> None:
    async with guarded(settings, **by(provider) | {"oidc_claim": "sub", "roles": "1=viewer"}) as client:
        provider.change = {"email_verified": None}
        assert (await attempt(client)).status == 303


async def test_a_session_ends_with_the_providers_token(
    provider: OpenIdProvider, pool: ArqRedis, settings: Settings
) -> None:
    async with guarded(settings, **by(provider)) as client:
        back = await attempt(client)
        assert 280 <= int(back.cookies["arqlight"]["max-age"]) <= 300, "the provider's ID token is good for 300 s"
        [kept] = await pool.keys("arqlight:session:*")
        assert 280_000 <= await pool.pttl(kept) <= 300_000
        provider.change = {"exp": int(time.time()) + 4}
        await attempt(client)
        assert (await client.get("/api/v1/me")).status == 200

        async def is_over() -> bool:
            return bool((await client.get("/api/v1/me")).status == 401)

        await eventually(is_over)
        provider.change = {"exp": int(time.time()) + 365 * 24 * 3600}
        back = await attempt(client)
        assert int(back.cookies["arqlight"]["max-age"]) == 12 * 3600, "and after ARQLIGHT_SESSION_H hours in any case"


async def test_a_token_that_somebody_else_signed_lets_nobody_in(
    provider: OpenIdProvider, pool: ArqRedis, settings: Settings
) -> None:
    async with guarded(settings, **by(provider)) as client:
        provider.signs_with = RSAKey.generate_key(2048, {"kid": "one"})
        assert (await attempt(client)).status == 403
        # What anybody can read as the secret of an HMAC: the classic confusion of algorithms.
        provider.algorithm = "HS256"
        provider.signs_with = OctKey.import_key(provider.key.as_dict(private=False)["n"], {"kid": "one"})
        assert (await attempt(client)).status == 403
        assert (await client.get("/api/v1/me")).status == 401


async def test_what_comes_back_is_tied_to_the_browser_and_good_once(
    provider: OpenIdProvider, pool: ArqRedis, settings: Settings
) -> None:
    async with guarded(settings, **by(provider)) as client, guarded(settings, **by(provider)) as other:
        away = await client.get("/sign-in/provider?next=//evil.example", allow_redirects=False)
        there = await client.session.get(away.headers["Location"], allow_redirects=False)
        back = there.headers["Location"]
        path = back[back.index("/sign-in") :]
        stolen = await other.get(path, allow_redirects=False)
        assert stolen.status == 403, "begun in another browser"
        mine = await client.get(path, allow_redirects=False)
        assert (mine.status, mine.headers["Location"]) == (303, "/")
        again = await client.get(path, allow_redirects=False)
        assert again.status == 403
        assert (await client.get("/sign-in/callback?error=access_denied", allow_redirects=False)).status == 403


async def test_a_provider_that_is_away_is_said(pool: ArqRedis, settings: Settings, provider: OpenIdProvider) -> None:
    away = by(provider) | {"oidc_issuer": "http://127.0.0.1:1"}
    async with guarded(settings, **away) as client:
        answer = await client.get("/sign-in/provider", allow_redirects=False)
        assert answer.status == 502
        assert "http://127.0.0.1:1 does not answer as one" in (await answer.json())["detail"]


@pytest.mark.parametrize("way", ["large", "packed"])
@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys", "/token"])
async def test_an_answer_of_the_provider_that_is_too_large_or_packed_is_not_read(
    pool: ArqRedis, settings: Settings, provider: OpenIdProvider, way: str, path: str
) -> None:
    sent = 0

    @web.middleware
    async def flooding(request: web.Request, handler: Any) -> web.StreamResponse:
        nonlocal sent
        if request.path != path:
            return cast("web.StreamResponse", await handler(request))
        if way == "packed":
            return web.Response(body=gzip.compress(b"[" * 50_000_000), headers={"Content-Encoding": "gzip"})
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(200):
            await response.write(b" " * 1_000_000)
            sent += 1
        return response

    app = provider.application()
    app.middlewares.append(flooding)
    async with TestServer(app, host="127.0.0.1") as server:
        provider.url = str(server.make_url("")).rstrip("/")
        async with guarded(settings, **by(provider)) as client:
            begun = await client.get("/sign-in/provider", allow_redirects=False)
            if path == "/token":
                back = URL(begun.headers["Location"]).query
                begun = await client.get(f"/sign-in/callback?code=x&state={back['state']}", allow_redirects=False)
            assert begun.status == 502
            assert "it answers" in (await begun.json())["detail"]
    assert sent < 100
