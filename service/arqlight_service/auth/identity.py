"""Who asks."""

from dataclasses import dataclass
from typing import Literal

from aiohttp import web

from arqlight_service.auth.roles import Need, Role


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who was recognized.

    :param by: how: `local` (no sign-in on loopback), `session`, `token` or `proxy`.
    :param key: which session or token, to look whether it is still good.
    :param csrf: what changes from a page must carry; "" where no browser sends the proof of identity by itself.
    :param until_ms: when it ends by itself, milliseconds since the epoch; None when it does not.
    """

    name: str
    role: Role
    by: Literal["local", "session", "token", "proxy"]
    key: str = ""
    purpose: str = ""
    csrf: str = ""
    until_ms: int | None = None

    def may(self, need: Need) -> bool:
        """Whether that is enough."""
        return self.role >= need.role or bool(self.purpose and self.purpose == need.purpose)


IDENTITY = web.RequestKey("identity", Identity)


def identity_of(request: web.Request) -> Identity | None:
    """Who asks; None for somebody unknown, at a route that is for everybody."""
    return request.get(IDENTITY)


def actor(request: web.Request) -> str:
    """Who asks, for the audit list: a name; where there is no sign-in, the address is all that is known."""
    identity = identity_of(request)
    if identity is None or identity.by == "local":
        return request.remote or "unknown"
    return f"token {identity.name}" if identity.by == "token" else identity.name
