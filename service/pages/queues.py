"""`/queues`: how deep, how old, how fast; pause, resume, empty."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from service.operations import read_operations
from service.parts import READER, REDIS
from workers.counters import read_rates

routes = web.RouteTableDef()


@routes.get("/queues")
@aiohttp_jinja2.template("queues.html")
async def queue_list(request: web.Request) -> dict[str, Any]:
    """Every queue that was seen."""
    overview = await request.app[READER].overview(rows=0)
    rates = await read_rates(request.app[REDIS])
    emptied = [each.to_json() for each in await read_operations(request.app[REDIS]) if each.kind == "empty"]
    return {
        "page": "queues",
        "queues": [{**queue.to_json(), "rate": rates.get(queue.key)} for queue in overview.queues],
        "operations": [each for each in emptied if each["state"] == "running"],
    }
