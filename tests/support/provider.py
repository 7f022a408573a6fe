"""A real OpenID Connect provider, small: discovery, authorization with PKCE, tokens signed with RS256, keys."""

import base64
import hashlib
import secrets
import time
from typing import Any

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT, SECRET = "arqlight", "the-client-secret"


class OpenIdProvider:
    """Signs `person` in without asking. `change` bends the claims of the next ID token, `key` signs it."""

    def __init__(self) -> None:
        self.url = ""
        self.person: dict[str, Any] = {"sub": "1", "email": "ada@example.org", "email_verified": True}
        self.change: dict[str, Any] = {}
        self.algorithm = "RS256"
        self.key: Any = RSAKey.generate_key(2048, {"kid": "one"})
        self.signs_with: Any = self.key
        self._begun: dict[str, dict[str, str]] = {}

    async def about(self, request: web.Request) -> web.Response:
        return web.json_response({
            "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize", "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        })  # fmt: skip

    async def keys(self, request: web.Request) -> web.Response:
        return web.json_response(KeySet([self.key]).as_dict(private=False))

    async def authorize(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self._begun[code] = query
        raise web.HTTPFound(f"{query['redirect_uri']}?code={code}&state={query['state']}")

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        begun = self._begun.pop(str(form["code"]), None)
        given = request.headers.get("Authorization", "").removeprefix("Basic ")
        challenge = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        is_good = (
            begun is not None
            and base64.b64decode(given).decode() == f"{CLIENT}:{SECRET}"
            and begun["code_challenge"] == base64.urlsafe_b64encode(challenge).decode().rstrip("=")
            and begun["redirect_uri"] == form["redirect_uri"]
        )
        if not is_good or begun is None:
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        claims = {
            "iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": begun["nonce"], **self.person, **self.change,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": self.algorithm, "kid": "one"}
        id_token = jwt.encode(header, claims, self.signs_with, algorithms=[self.algorithm])
        return web.json_response({"access_token": "x", "token_type": "Bearer", "expires_in": 300, "id_token": id_token})

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self.about)
        app.router.add_get("/keys", self.keys)
        app.router.add_get("/authorize", self.authorize)
        app.router.add_post("/token", self.token)
        return app
