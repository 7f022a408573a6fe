"""`/healthz`: the process lives. `/readyz`: it can answer, for its server does."""

from aiohttp import web
from redis.exceptions import RedisError

from service.parts import REDIS
from service.problems import Problem

routes = web.RouteTableDef()


@routes.get("/healthz")
async def healthz(request: web.Request) -> web.Response:
    """200 as long as the event loop turns."""
    return web.json_response({"status": "ok"})


@routes.get("/readyz")
async def readyz(request: web.Request) -> web.Response:
    """200 when Redis or Valkey answers, else 503."""
    try:
        await request.app[REDIS].ping()
    except RedisError as error:
        raise Problem(503, f"the Redis or Valkey server does not answer: {error}") from error
    return web.json_response({"status": "ready"})
