"""A service that people sign in to, and programs with tokens."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from arqlight.settings import Settings
from arqlight_service.app import create_app
from arqlight_service.auth.access import ACCESS

PASSWORD = "correct horse battery"
Client = TestClient[Any, Any]


@contextlib.asynccontextmanager
async def guarded(settings: Settings, **changes: Any) -> AsyncIterator[Client]:
    """A client of a service with sign-in; it keeps cookies as a browser does."""
    app = create_app(settings.changed(**{"auth": "users", **changes}))
    async with TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True)) as client:
        yield client


async def add_user(client: Client, name: str, role: str) -> None:
    users = client.app[ACCESS].users if client.app else None
    assert users is not None
    await users.add(name, PASSWORD, role)


async def add_token(client: Client, scope: str, days: float = 1) -> tuple[str, dict[str, str]]:
    """Its id, and the headers that show it."""
    tokens = client.app[ACCESS].tokens if client.app else None
    assert tokens is not None
    token, text = await tokens.add(f"a {scope}", scope, days)
    return token.id, {"Authorization": f"Bearer {text}"}


async def sign_in(client: Client, name: str, password: str = PASSWORD, **more: Any) -> Any:
    form = {"name": name, "password": password, **more.pop("form", {})}
    return await client.post("/sign-in", data=form, allow_redirects=False, **more)
