"""`/queues`: how deep, how old, how fast; pause, resume, empty."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from arqlight_service.app_keys import OPERATIONS, connection_of
from arqlight_service.auth.roles import Role, needs

routes = web.RouteTableDef()


@routes.get("/queues")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("queues.html")
async def queue_list(request: web.Request) -> dict[str, Any]:
    """Every queue that was seen."""
    connection = connection_of(request)
    overview = await connection.reader.overview(rows=0)
    rates = await connection.reader.rates()
    newest = await request.app[OPERATIONS].newest()
    emptied = [each.to_json() for each in newest if each.kind == "empty" and each.connection == connection.name]
    return {
        "page": "queues",
        "can_write": connection.can_write,
        "queues": [{**queue.to_json(), "rate": rates.get(queue.key)} for queue in overview.queues],
        "operations": [each for each in emptied if each["state"] == "running"],
    }
