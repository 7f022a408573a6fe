"""Stands before every request: the host, the site it comes from, who asks, and whether that one may."""

import asyncio
import hmac
import ipaddress
import logging
from urllib.parse import quote, urlsplit

from aiohttp import web

from arqlight.errors import SettingsError
from arqlight.journal.tracing import request_span
from arqlight.settings import Settings, split_names
from arqlight_service.api.accept import wants_page
from arqlight_service.api.cross_origin import allowed_origin
from arqlight_service.api.header_addresses import address_in
from arqlight_service.api.problems import Handler, Problem, is_form
from arqlight_service.api.requests import CSRF_FIELD, read_form
from arqlight_service.app_keys import SETTINGS
from arqlight_service.auth.access import ACCESS, Access, bearer_of
from arqlight_service.auth.identity import IDENTITY, Identity
from arqlight_service.auth.oidc import check_packages
from arqlight_service.auth.role_rules import Grants
from arqlight_service.auth.roles import SAFE_METHODS, Need, Role, need_of

logger = logging.getLogger("arqlight.access")
BODY_S = 30.0
CSRF_HEADER = "X-CSRF-Token"
_NOT_FOUND = Need(Role.VIEWER)
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def refuse_open_service(settings: Settings) -> None:
    """Raise SettingsError for a service that others could reach and nobody has to sign in to, or that cannot work."""
    if settings.auth == "none" and not is_loopback(settings.host):
        raise SettingsError(
            f"ARQLIGHT_HOST={settings.host!r} would let anyone on the network read, retry and delete jobs; set "
            "ARQLIGHT_AUTH=users and make one with `arqlight user add`, or ARQLIGHT_AUTH=proxy behind a proxy that "
            "signs people in, or bind to 127.0.0.1"
        )
    if settings.auth == "none" and settings.cors_origins:
        raise SettingsError("ARQLIGHT_CORS_ORIGINS needs ARQLIGHT_AUTH: scripts of other sites show a token")
    Grants(settings.roles)
    if settings.auth == "proxy" and not (settings.trusted_proxies and settings.roles):
        raise SettingsError(
            "ARQLIGHT_AUTH=proxy needs ARQLIGHT_TRUSTED_PROXIES (the networks whose word counts, 10.1.2.0/28) and "
            "ARQLIGHT_ROLES (who may do what: ada@example.org=admin,*@example.org=viewer)"
        )
    if settings.auth == "oidc":
        if not (settings.oidc_issuer and settings.oidc_client_id and settings.roles):
            raise SettingsError(
                "ARQLIGHT_AUTH=oidc needs ARQLIGHT_OIDC_ISSUER, ARQLIGHT_OIDC_CLIENT_ID (and mostly "
                "ARQLIGHT_OIDC_CLIENT_SECRET), and ARQLIGHT_ROLES (ada@example.org=admin,*@example.org=viewer)"
            )
        check_packages()
    if settings.auth != "none" and not is_loopback(settings.host) and not allowed_hosts(settings):
        raise SettingsError(
            f"ARQLIGHT_HOST={settings.host!r}: set ARQLIGHT_PUBLIC_URL to the address people open "
            "(https://jobs.example.org), or ARQLIGHT_ALLOWED_HOSTS to its names; requests for other names are refused"
        )


def allowed_hosts(settings: Settings) -> frozenset[str]:
    """The host names that requests may be for, besides this machine's own."""
    named = {name.lower() for name in split_names(settings.allowed_hosts)}
    public = urlsplit(settings.public_url or "").hostname
    return frozenset(named | ({public} if public else set()))


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request through to its handler, or say why not."""
    access = request.app[ACCESS]
    by_proxy, sent = access.proxies.is_named(request.remote), request
    request = access.proxies.seen_through(request)
    stated = need_of(request.match_info.route)
    need = _NOT_FOUND if stated is None else stated  # no route: who may not look, is not told what is there
    _check_host(request, access, need)
    is_upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
    changes = request.method not in SAFE_METHODS
    if (changes or is_upgrade) and not (_is_same_origin(request) or _is_trusted_origin(request, access)):
        raise Problem(403, "this request comes from a page of another site; only the service's own pages may ask this")
    if need.role is not Role.PUBLIC:
        identity = await access.identify(request, by_proxy=by_proxy)
        if identity is None:
            return _ask_to_sign_in(request, access)
        request[IDENTITY] = sent[IDENTITY] = identity
        if not identity.may(need):
            raise Problem(403, _refusal(identity, need))
        if changes and identity.csrf:
            await _check_csrf(request, identity)
    if changes and request.body_exists:
        await _read_in_time(request)
    with request_span(request.method, _route_of(request), request.headers):
        return await handler(request)


async def _read_in_time(request: web.Request) -> None:
    """Bodies are small and read whole; one that trickles in would hold a handler for as long as it likes."""
    try:
        async with asyncio.timeout(BODY_S):
            await request.read()
    except TimeoutError:
        raise Problem(408, f"the body did not come within {BODY_S:g} s; send it at once") from None


def _route_of(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "?"


def _check_host(request: web.Request, access: Access, need: Need) -> None:
    """A name that is not ours is another site's, made to lead here (DNS rebinding).

    Probes come by any name. Programs with a token may also name the address that they came to, as Prometheus does of a
    pod: nobody makes an address lead elsewhere.
    """
    if need.role is Role.PUBLIC and request.path in ("/healthz", "/readyz"):
        return
    try:
        host = (urlsplit(f"//{request.host}").hostname or "").lower()
    except ValueError:
        host = ""
    # Where nobody signs in, no other name is answered for: a proxy that passes one on would let everybody in.
    if is_loopback(host) or (not access.is_open and host in allowed_hosts(request.app[SETTINGS])):
        return
    if not access.is_open and bearer_of(request) is not None and is_own_address(request, host):
        return
    raise Problem(
        421,
        f"this service does not answer for {host[:100]!r}: set ARQLIGHT_AUTH, and ARQLIGHT_PUBLIC_URL or "
        "ARQLIGHT_ALLOWED_HOSTS, or let the proxy set Host",
    )


def is_own_address(request: web.Request, host: str) -> bool:
    """Whether that is the address at which this connection was taken."""
    own = request.transport.get_extra_info("sockname") if request.transport else None
    return bool(own) and isinstance(own, tuple) and host in (own[0], str(own[0]).removeprefix("::ffff:"))


def _is_same_origin(request: web.Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    # No Origin: not a browser. A browser sends one with every cross-site change and every WebSocket.
    return "Origin" not in request.headers or address_in(request, "Origin").netloc == request.host


def _is_trusted_origin(request: web.Request, access: Access) -> bool:
    """A script of a site that the settings name, with a token: no browser adds that by itself."""
    return not access.is_open and bearer_of(request) is not None and allowed_origin(request) is not None


def _ask_to_sign_in(request: web.Request, access: Access) -> web.Response:
    """People are led to the sign-in page and back; programs are told what to show."""
    is_page = request.method == "GET" and not request.path.startswith("/api/")
    if access.has_sign_in and is_page and wants_page(request):
        raise web.HTTPSeeOther(f"/sign-in?next={quote(request.raw_path, safe='')}")
    how = "sign in, or send a token: " if access.has_sign_in else "send a token: "
    raise Problem(
        401,
        f"sign-in is required; {how}`Authorization: Bearer arql_…` (`arqlight token add` makes one)",
        headers={"WWW-Authenticate": 'Bearer realm="arqlight"'},
    )


def _refusal(identity: Identity, need: Need) -> str:
    who = f"this is a token for {identity.purpose}" if identity.purpose else f"{identity.name} is {identity.role.shown}"
    return f"requires the {need.role.shown} role; {who}"


async def _check_csrf(request: web.Request, identity: Identity) -> None:
    """A change from a browser carries what only our own pages know."""
    sent = request.headers.get(CSRF_HEADER)
    if sent is None and is_form(request):
        sent = dict(await read_form(request)).get(CSRF_FIELD)
    if not hmac.compare_digest((sent or "").encode("utf-8", "replace"), identity.csrf.encode()):
        raise Problem(403, f"the CSRF token is missing or expired ({CSRF_HEADER}); reload the page")


async def set_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """The headers every answer carries; a signal handler, for the headers of streams leave early."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if (request.app[SETTINGS].public_url or "").startswith("https://"):
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if not request.path.startswith("/static/"):
        response.headers.setdefault("Cache-Control", "no-store")
