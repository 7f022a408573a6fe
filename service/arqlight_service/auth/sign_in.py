"""`/sign-in` and `/sign-out`: for people, with a password. Programs send a token with each request instead."""

import hmac
from typing import Any
from urllib.parse import urlsplit

import aiohttp_jinja2
from aiohttp import web
from pydantic import Field

from arqlight_service.api.call import call
from arqlight_service.api.problems import Problem
from arqlight_service.api.requests import Strict, parse_input
from arqlight_service.api.shapes.operator import Me
from arqlight_service.app_keys import SETTINGS
from arqlight_service.audit.told import tell
from arqlight_service.auth.access import ACCESS, COOKIE
from arqlight_service.auth.identity import identity_of
from arqlight_service.auth.oidc import LIFE_S
from arqlight_service.auth.roles import Role, needs
from arqlight_service.auth.sessions import NewSession

routes = web.RouteTableDef()
STATE = "arqlight-signing-in"
LONGEST_NEXT = 2_000  # characters of the address to come back to; it is kept for each sign-in that begins


class Credentials(Strict):
    """What the sign-in page sends."""

    name: str = Field(max_length=200)
    password: str = Field(max_length=2_000)
    code: str = Field("", max_length=100)
    next: str = Field("/", max_length=4_000)


@routes.get("/sign-in")
@needs(Role.PUBLIC)
@aiohttp_jinja2.template("sign_in.html")
async def sign_in_page(request: web.Request) -> dict[str, Any]:
    """The form; it says so when there is no user yet."""
    access = request.app[ACCESS]
    if not access.has_sign_in:
        raise Problem(404, "sign-in is not enabled (ARQLIGHT_AUTH)")
    return {
        "page": "sign_in",
        "next": inside(request.query.get("next", "/")),
        "wrong": "",
        "provider": urlsplit(access.provider.issuer).hostname if access.provider else "",
        "has_users": access.users is None or bool(await access.users.all()),
    }


@routes.post("/sign-in")
@needs(Role.PUBLIC, does="sign in", kind="sign-in")
async def sign_in(request: web.Request) -> web.Response:
    """303 to where the person wanted to go, with the session's cookie; 401 with the form again; 429 after many."""
    access = request.app[ACCESS]
    if not access.has_sign_in or access.users is None:
        raise Problem(404, "sign-in with a password is not enabled (ARQLIGHT_AUTH)")
    _check_https(request)
    given = await parse_input(request, Credentials)
    tell(request, what=f"sign in as {given.name[:100]}")
    found = await access.sign_in(given.name.strip(), given.password, given.code, request.remote or "unknown")
    if found is None:
        shown = {"page": "sign_in", "next": inside(given.next), "has_users": True, "provider": ""}
        shown["wrong"] = "Incorrect name or password. Where a second factor is set up, its code is needed as well."
        return aiohttp_jinja2.render_template("sign_in.html", request, shown, status=401)
    user, session = found
    tell(request, who=user.name)
    raise _welcome(request, session, given.next)


@routes.get("/sign-in/provider")
@needs(Role.PUBLIC)
async def go_to_provider(request: web.Request) -> web.Response:
    """303 to the OpenID Connect provider; a cookie ties what comes back to this browser. 429; 502 when it is away."""
    access = request.app[ACCESS]
    if access.provider is None or access.tries is None:
        raise Problem(404, "sign-in with OpenID Connect is not enabled (ARQLIGHT_AUTH)")
    _check_https(request)
    await access.tries.count_provider(request.remote)
    url, state = await access.provider.begin(_callback(request), inside(request.query.get("next", "/")))
    answer = web.HTTPSeeOther(url)
    _set_cookie(request, answer, STATE, state, LIFE_S, "/sign-in")
    raise answer


@routes.get("/sign-in/callback")
@needs(Role.PUBLIC, does="sign in", kind="sign-in")
async def come_back(request: web.Request) -> web.Response:
    """From the provider: 303 to where the person wanted to go, with the session's cookie; 403 for who has no role."""
    access, query = request.app[ACCESS], request.query
    if access.provider is None or access.sessions is None:
        raise Problem(404, "sign-in with OpenID Connect is not enabled (ARQLIGHT_AUTH)")
    state = query.get("state", "")
    if not state or not hmac.compare_digest(_bytes(state), _bytes(request.cookies.get(STATE, ""))):
        raise Problem(403, "this sign-in was started in another browser; start again")
    if "code" not in query:
        raise Problem(403, f"the provider refused the sign-in: {query.get('error', 'no code')[:200]}")
    person = await access.provider.finish(state, query["code"], _callback(request))
    name = person.name
    tell(request, what=f"sign in as {name[:100]}")
    if access.grants.role_of(name) is None:
        raise Problem(403, f"{name[:200]!r} has no role here (ARQLIGHT_ROLES)")
    tell(request, who=name)
    session = await access.sessions.begin(name, "", "oidc", person.until_ms)
    raise _welcome(request, session, person.next)


def _bytes(text: str) -> bytes:
    """As it is compared: a cookie may hold any bytes."""
    return text.encode("utf-8", "replace")


def _callback(request: web.Request) -> str:
    base = request.app[SETTINGS].public_url or str(request.url.origin())
    return f"{base.rstrip('/')}/sign-in/callback"


def _check_https(request: web.Request) -> None:
    """Raise Problem where a browser came over HTTPS and the cookie would not be Secure, for nobody here knows that."""
    said = [each.strip().lower() for each in request.headers.get("X-Forwarded-Proto", "").split(",")]
    if "https" in said and not request.app[ACCESS].is_secure(request):
        raise Problem(
            421,
            f"this came over HTTPS through {request.remote}, whose word on that does not count, and a cookie without "
            "Secure is not set; name the proxy in ARQLIGHT_TRUSTED_PROXIES, and let it set X-Forwarded-Proto, or set "
            "ARQLIGHT_PUBLIC_URL to the https:// address",
        )


def _welcome(request: web.Request, session: NewSession, to: str) -> web.HTTPSeeOther:
    """To where the person wanted to go, with the session's cookie."""
    answer = web.HTTPSeeOther(inside(to))
    _set_cookie(request, answer, request.app[ACCESS].cookie_name(request), session.cookie, session.life_s)
    answer.del_cookie(STATE, path="/sign-in")
    return answer


def _set_cookie(
    request: web.Request, answer: web.HTTPSeeOther, name: str, value: str, life_s: int, path: str = "/"
) -> None:
    """A cookie that no script and no other site's form sees."""
    secure = request.app[ACCESS].is_secure(request)
    answer.set_cookie(name, value, max_age=life_s, path=path, httponly=True, samesite="Lax", secure=secure)


@routes.post("/sign-out")
@needs(Role.VIEWER, does="sign out", kind="sign-in")
async def sign_out(request: web.Request) -> web.Response:
    """The session ends; feeds that it opened close within seconds."""
    access, identity = request.app[ACCESS], identity_of(request)
    if access.sessions is None or identity is None or identity.by != "session":
        raise Problem(409, "there is no session here to end; sign out at the proxy or provider")
    await access.sessions.end(identity.key)
    answer = web.HTTPSeeOther("/sign-in")
    for name in (COOKIE, f"__Host-{COOKIE}"):
        answer.del_cookie(name, path="/", secure=name.startswith("__Host-"), httponly=True, samesite="Lax")
    raise answer


@routes.get("/api/v1/me")
@call(Role.VIEWER, tag="access", answers={200: Me})
async def me(request: web.Request) -> web.Response:
    """Whom the service takes the asker for."""
    identity = identity_of(request)
    if identity is None:
        raise Problem(401, "sign-in is required")
    return web.json_response({"name": identity.name, "role": identity.role.shown, "by": identity.by})


def inside(address: str) -> str:
    """The address, when it is a path of this service; else the overview: nobody is led to another site from here."""
    if len(address) > LONGEST_NEXT:
        return "/"
    try:
        parts = urlsplit(address)
    except ValueError:
        return "/"
    is_path = address.startswith("/") and not address.startswith("//") and not (parts.scheme or parts.netloc)
    # Browsers read "\" as "/", and leave out tabs and newlines (WHATWG URL, 4.4).
    return address if is_path and "\\" not in address and address.isascii() and address.isprintable() else "/"
