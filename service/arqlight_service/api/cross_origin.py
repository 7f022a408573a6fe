"""Requests of other sites' scripts: those of ARQLIGHT_CORS_ORIGINS may call the API, with a token (CORS).

And OPTIONS, which says what may be asked at an address.
"""

from aiohttp import web

from arqlight.settings import Settings, split_names
from arqlight_service.api.problems import Handler
from arqlight_service.app_keys import SETTINGS

PREFIX = "/api/"
ALLOWED_HEADERS = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID"
EXPOSED_HEADERS = "Location, Retry-After, Idempotency-Replayed"
PREFLIGHT_LIFE_S = 600


def allowed_origin(request: web.Request) -> str | None:
    """The origin that asks, when the settings name it."""
    origin = request.headers.get("Origin")
    return origin if origin is not None and origin in _origins(request.app[SETTINGS]) else None


@web.middleware
async def answer_options(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer OPTIONS for an address of the API; all else goes on."""
    refusal = request.match_info.http_exception
    if request.method != "OPTIONS" or not request.path.startswith(PREFIX):
        return await handler(request)
    if not isinstance(refusal, web.HTTPMethodNotAllowed):
        return await handler(request)
    methods = ", ".join(sorted({*refusal.allowed_methods, "OPTIONS"}))
    headers = {"Allow": methods}
    if allowed_origin(request) and "Access-Control-Request-Method" in request.headers:
        headers |= {
            "Access-Control-Allow-Methods": methods,
            "Access-Control-Allow-Headers": ALLOWED_HEADERS,
            "Access-Control-Max-Age": str(PREFLIGHT_LIFE_S),
        }
    return web.Response(status=204, headers=headers)


async def name_origin(request: web.Request, response: web.StreamResponse) -> None:
    """Say which origin may read an answer of the API; a signal handler, for the headers of streams leave early.

    Never with credentials: a cookie does not count for another site's script, a token does.
    """
    if not request.path.startswith(PREFIX) or not _origins(request.app[SETTINGS]):
        return
    response.headers.add("Vary", "Origin")
    if origin := allowed_origin(request):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"


def _origins(settings: Settings) -> list[str]:
    return split_names(settings.cors_origins)
