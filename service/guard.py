"""Who may ask while there is no sign-in: this machine's own people, not other sites' pages in their browsers."""

import ipaddress
from urllib.parse import urlsplit

from aiohttp import web

from service.problems import Handler, Problem
from workers.errors import SettingsError

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def refuse_public_bind(host: str) -> None:
    """Raise SettingsError for an address that others could reach: there is no sign-in yet."""
    if not is_loopback(host):
        raise SettingsError(
            f"ARQLIGHT_HOST={host!r} would let anyone on the network read, retry and delete jobs, and there is no "
            "sign-in yet; bind to 127.0.0.1 and put a proxy that signs people in before it"
        )


def actor(request: web.Request) -> str:
    """Who asks, for the audit list: while there is no sign-in, the address is all that is known."""
    return request.remote or "unknown"


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse foreign Host names (DNS rebinding), and changes or sockets that another site's page asks for."""
    host = urlsplit(f"//{request.host}").hostname or ""
    if not is_loopback(host):
        raise Problem(421, f"this service answers for localhost only, not for {host!r}; let the proxy set Host")
    is_upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
    if (request.method not in SAFE_METHODS or is_upgrade) and not _is_same_origin(request):
        raise Problem(403, "this request comes from a page of another site; only the service's own pages may ask this")
    return await handler(request)


def _is_same_origin(request: web.Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    # No Origin: not a browser. A browser sends one with every cross-site change and every WebSocket.
    return origin is None or urlsplit(origin).netloc == request.host


async def set_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """The headers every answer carries; a signal handler, for the headers of streams leave early."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
