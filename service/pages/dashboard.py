"""`/`: the three figures, the active jobs, the failed jobs."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from service.feed import FAILED_ROWS, say_watched
from service.parts import READER, REDIS
from service.standing import standing

routes = web.RouteTableDef()


@routes.get("/")
@aiohttp_jinja2.template("dashboard.html")
async def dashboard(request: web.Request) -> dict[str, Any]:
    """The three figures, the active jobs, the failed jobs."""
    await say_watched(request.app[REDIS])
    overview = await request.app[READER].overview()
    stats = overview.stats()
    failed, following = await request.app[READER].failed(limit=FAILED_ROWS)
    return {
        "page": "dashboard",
        "stats": stats,
        "standing": standing(stats),
        "active": [job.to_json() for job in overview.active],
        "failed": failed,
        "more": following is not None,
        "rows": FAILED_ROWS,
    }
