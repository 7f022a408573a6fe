"""Sign-in at an OpenID Connect provider: the code flow with PKCE, state and nonce (OpenID Connect Core 1.0, 3.1).

authlib makes the requests, joserfc checks the ID token's signature and claims.
"""

import json
import secrets
import time
from dataclasses import asdict, dataclass
from typing import Any

from arqlight.connections.parts.expiring_texts import ExpiringTexts
from arqlight.extras import require
from arqlight.jobs.bounded_json import read_bounded
from arqlight.jobs.budget import ANSWERED, Budget
from arqlight.settings import Settings
from arqlight_service.api.problems import Problem

LIFE_S = 600  # from the provider's page back to ours
FRESH_S = 600.0
TIMEOUT_S = 10.0
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]  # none and HS256 are not among them


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that is under way at the provider; kept on our server, by its state."""

    state: str
    nonce: str
    verifier: str
    next: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who came back from the provider: the name, the end of the ID token, and where that one wanted to go."""

    name: str
    until_ms: int
    next: str


class Provider:
    """An OpenID Connect provider. What it says of itself is asked for when it is needed, and every ten minutes."""

    def __init__(self, settings: Settings, sign_ins: ExpiringTexts) -> None:
        self.issuer = (settings.oidc_issuer or "").rstrip("/")
        self._client_id = settings.oidc_client_id or ""
        secret = settings.oidc_client_secret
        self._client_secret = secret.get_secret_value() if secret else None
        self._claim = settings.oidc_claim
        self._sign_ins = sign_ins
        self._about: dict[str, Any] = {}
        self._keys: Any = {}
        self._read_at = float("-inf")

    async def begin(self, back: str, to: str) -> tuple[str, str]:
        """The provider's address to lead the person to, and the state; `back` is our callback. Raises Problem 502."""
        await self._look()
        begun = Begun(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), to)
        async with self._client(back) as client:
            url, _ = client.create_authorization_url(
                self._about["authorization_endpoint"], state=begun.state, nonce=begun.nonce,
                code_verifier=begun.verifier,
            )  # fmt: skip
        await self._sign_ins.set(begun.state, json.dumps(asdict(begun)), LIFE_S * 1000)
        return str(url), begun.state

    async def finish(self, state: str, code: str, back: str) -> SignedIn:
        """Who came back, until when, and where that one wanted to go. Raises Problem 403 or 502."""
        text = await self._sign_ins.take(state)
        if text is None:
            raise Problem(403, "this sign-in was not started here, or took longer than ten minutes; start again")
        begun = Begun(**json.loads(text))
        await self._look()
        try:
            async with self._client(back) as client:
                token = await client.fetch_token(
                    self._about["token_endpoint"], code=code, code_verifier=begun.verifier,
                    grant_type="authorization_code",
                )  # fmt: skip
        except Exception as error:  # authlib's, httpx2's: whatever it is, nobody is signed in
            raise Problem(502, f"the provider did not take the code: {_reason(error)}") from error
        claims = self._check(str(token.get("id_token", "")), begun.nonce)
        name = claims.get(self._claim)
        if not isinstance(name, str) or not name:
            raise Problem(403, f"the ID token has no claim {self._claim} (ARQLIGHT_OIDC_CLAIM)")
        if self._claim == "email" and claims.get("email_verified") is not True:
            raise Problem(
                403,
                "the provider does not say that it has verified this person's e-mail address (email_verified: true in "
                "the ID token); let it, or name another claim in ARQLIGHT_OIDC_CLAIM",
            )
        return SignedIn(name, int(claims["exp"]) * 1000, begun.next)

    def _check(self, id_token: str, nonce: str) -> dict[str, Any]:
        """The claims of an ID token that is the provider's, for us, of this sign-in, and not over."""
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        rules = jwt.JWTClaimsRegistry(
            leeway=60, iss={"essential": True, "value": self._about["issuer"]},
            aud={"essential": True, "value": self._client_id}, exp={"essential": True}, iat={"essential": True},
            sub={"essential": True}, nonce={"essential": True, "value": nonce},
        )  # fmt: skip
        try:
            claims = dict(jwt.decode(id_token, KeySet.import_key_set(self._keys), algorithms=ALGORITHMS).claims)
            rules.validate(claims)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise Problem(403, f"the provider's ID token is not valid: {_reason(error)}") from error
        if claims.get("azp", self._client_id) != self._client_id:
            raise Problem(403, "the provider's ID token is not valid: it was made for another client (azp)")
        return claims

    async def _look(self) -> None:
        """What the provider says of itself, and its keys."""
        if time.monotonic() - self._read_at < FRESH_S:
            return
        try:
            async with self._client("") as client:
                about = await self._read(client, f"{self.issuer}/.well-known/openid-configuration")
                if str(about["issuer"]).rstrip("/") != self.issuer:
                    raise ValueError(f"it calls itself {about['issuer']}")
                keys = await self._read(client, about["jwks_uri"])
        except Exception as error:  # httpx2's, JSON's: the provider is not there, or is none
            raise Problem(502, f"the provider at {self.issuer} does not answer as one: {_reason(error)}") from error
        self._about, self._keys, self._read_at = about, keys, time.monotonic()

    @staticmethod
    async def _read(client: Any, url: str) -> dict[str, Any]:
        answer = await client.request("GET", url, withhold_token=True)
        answer.raise_for_status()
        found: dict[str, Any] = read_bounded(answer.content, Budget(ANSWERED))
        return found

    def _client(self, back: str) -> Any:
        from authlib.integrations.httpx_client import AsyncOAuth2Client

        from arqlight_service.auth.provider_answers import BOUNDED

        return AsyncOAuth2Client(
            self._client_id, self._client_secret, redirect_uri=back, scope="openid email profile",
            code_challenge_method="S256", timeout=TIMEOUT_S, follow_redirects=False,
            event_hooks=BOUNDED,
        )  # fmt: skip


def check_packages() -> None:
    """Raise MissingExtra when what this needs is not installed."""
    require("ARQLIGHT_AUTH=oidc", "authlib", "httpx2", "joserfc")


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
