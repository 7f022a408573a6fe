"""Recognizes who asks, and looks again later whether that still holds."""

import hmac

from aiohttp import web
from arq.utils import timestamp_ms

from arqlight.connections.parts.store import Store
from arqlight.key_ring import KeyRing
from arqlight.settings import Settings
from arqlight_service.auth.folded_names import folded
from arqlight_service.auth.hashing import hashed
from arqlight_service.auth.identity import Identity
from arqlight_service.auth.oidc import Provider
from arqlight_service.auth.proxies import Proxies
from arqlight_service.auth.role_rules import Grants
from arqlight_service.auth.roles import Role
from arqlight_service.auth.sessions import NewSession, Session, Sessions, csrf_of
from arqlight_service.auth.throttle import Tries
from arqlight_service.auth.tokens import Token, Tokens
from arqlight_service.auth.users import User, Users

EVERYBODY = Identity("local", Role.ADMIN, "local")
COOKIE = "arqlight"
# What carries a token where no header can be set: a WebSocket of a browser's script.
BEARER_PROTOCOL = "bearer."
# A proxy cannot say later that somebody is gone: a feed behind one begins anew after this long, resuming where it was.
PROXY_LIFE_MS = 5 * 60 * 1000


class Access:
    """`store` is where users, tokens and sessions are kept; None on a service that only observes."""

    def __init__(self, settings: Settings, store: Store | None, keys: KeyRing) -> None:
        self.is_open = settings.auth == "none"
        self.has_sign_in = settings.auth in ("users", "oidc") and store is not None
        self.grants = Grants(settings.roles)
        self.provider = Provider(settings, store.sign_ins) if settings.auth == "oidc" and store else None
        self._is_https = (settings.public_url or "").lower().startswith("https://")
        self.proxies = Proxies(settings)
        self._keys = keys
        self._believes_proxy = settings.auth == "proxy"
        self.users = Users(store.users, store.used_codes) if store and settings.auth != "oidc" else None
        self.tokens = Tokens(store.tokens) if store else None
        self.sessions = Sessions(store.sessions, settings.session_h) if store else None
        self.tries = Tries(store.sign_in_attempts) if store else None

    async def identify(self, request: web.Request, *, by_proxy: bool) -> Identity | None:
        """Who asks; None for nobody we know. `by_proxy`: a named proxy sent it."""
        if self.is_open:
            return EVERYBODY
        text = bearer_of(request)
        if text is not None:
            token = await self.tokens.verify(text) if self.tokens else None
            return _of_token(token) if token else None
        if self._believes_proxy:
            return self._of_proxy(request) if by_proxy else None
        cookie = request.cookies.get(self.cookie_name(request))
        if not cookie or not self.sessions:
            return None
        session = await self.sessions.find(hashed(cookie))
        return await self._of_session(session, csrf_of(cookie)) if session else None

    def is_secure(self, request: web.Request) -> bool:
        """Whether the browser came over HTTPS, so that its cookies are Secure: by the request, or the public URL."""
        return self._is_https or request.scheme == "https"

    def cookie_name(self, request: web.Request) -> str:
        """Over HTTPS a name that browsers take only from this very host, and only Secure (RFC 6265bis, 4.1.3.2)."""
        return f"__Host-{COOKIE}" if self.is_secure(request) else COOKIE

    async def is_still_good(self, identity: Identity) -> bool:
        """Whether somebody recognized before would be recognized again, with the same role."""
        if identity.until_ms is not None and identity.until_ms <= timestamp_ms():
            return False
        if identity.by == "token" and self.tokens:
            token = await self.tokens.find(identity.key)
            return token is not None and (token.role, token.purpose) == (identity.role, identity.purpose)
        if identity.by == "session" and self.sessions:
            session = await self.sessions.find(identity.key)
            found = await self._of_session(session, "") if session else None
            return found is not None and found.role == identity.role
        return True

    async def _of_session(self, session: Session, csrf: str) -> Identity | None:
        if session.by == "oidc":
            role = self.grants.role_of(session.user) if self.provider else None
            return _of_person(session, session.user, role, csrf) if role else None
        user = await self.users.find(session.user) if self.users else None
        if user is None or not hmac.compare_digest(user.stamp, session.stamp):
            return None
        return _of_person(session, user.name, user.role, csrf)

    def _of_proxy(self, request: web.Request) -> Identity | None:
        found = self.proxies.user_of(request, self.grants)
        if found is None:
            return None
        name, role = found
        csrf = csrf_of(self._keys.derive("csrf") + name.encode("utf-8", "replace"))
        return Identity(name, role, "proxy", csrf=csrf, until_ms=timestamp_ms() + PROXY_LIFE_MS)

    async def sign_in(self, name: str, password: str, code: str, address: str) -> tuple[User, NewSession] | None:
        """The user and the new session; None when name, password or code is wrong. Raises Problem 429."""
        if self.users is None or self.sessions is None or self.tries is None:
            return None
        counted = folded(name)  # another way to write a name is no further try
        await self.tries.count(counted, address)
        user = await self.users.verify(name, password, code)
        if user is None:
            return None
        await self.tries.forget(counted, address)
        return user, await self.sessions.begin(user.name, user.stamp)


ACCESS = web.AppKey("access", Access)


def _of_person(session: Session, name: str, role: Role, csrf: str) -> Identity:
    return Identity(name, role, "session", session.key, csrf=csrf, until_ms=session.until_ms)


def _of_token(token: Token) -> Identity:
    return Identity(token.name, token.role, "token", token.id, token.purpose, until_ms=token.expires_ms)


def bearer_of(request: web.Request) -> str | None:
    """The token that a request shows: `Authorization: Bearer …`, or a subprotocol `bearer.…`; None without one."""
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return text.strip()
    offered = [each.strip() for each in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    return next((each.removeprefix(BEARER_PROTOCOL) for each in offered if each.startswith(BEARER_PROTOCOL)), None)
