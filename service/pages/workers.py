"""`/workers`: who lives and what each runs now, and who died within the hour."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from service.parts import REDIS
from workers.fleet import read_dead_workers, read_workers

routes = web.RouteTableDef()


@routes.get("/workers")
@aiohttp_jinja2.template("workers.html")
async def worker_list(request: web.Request) -> dict[str, Any]:
    """The living, then the dead."""
    redis = request.app[REDIS]
    return {"page": "workers", "workers": await read_workers(redis), "dead": await read_dead_workers(redis)}
