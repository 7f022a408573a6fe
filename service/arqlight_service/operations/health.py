"""`/healthz`: the process lives. `/readyz`: it can answer, for its server does."""

from aiohttp import web

from arqlight_service.api.problems import Problem
from arqlight_service.app_keys import CONNECTIONS, REACHABILITY
from arqlight_service.auth.roles import Role, needs

routes = web.RouteTableDef()


@routes.get("/healthz")
@needs(Role.PUBLIC)
async def healthz(request: web.Request) -> web.Response:
    """200 as long as the event loop turns."""
    return web.json_response({"status": "ok"})


@routes.get("/readyz")
@needs(Role.PUBLIC)
async def readyz(request: web.Request) -> web.Response:
    """200 when the first connection answers, else 503."""
    first = request.app[CONNECTIONS].first
    if not await request.app[REACHABILITY].ask(first):
        # Whoever asks has not signed in: which server, and what it said, stands in the log.
        raise Problem(503, f"connection {first.name!r} does not answer")
    return web.json_response({"status": "ready"})
