"""The pages: server-rendered first, so they read without JavaScript; `live.js` keeps them true."""

from typing import Any

from aiohttp import web

from service.pages import (
    bulk,
    charts,
    dashboard,
    failed,
    jobs,
    logs,
    queues,
    schedules,
    settings,
    sync,
    templates,
    webhooks,
    workers,
)
from service.pages.words import FILTERS as FILTERS
from service.parts import REACHABILITY


async def about_connections(request: web.Request) -> dict[str, Any]:
    """What every page shows of the connections: all of them, and the one that was asked for ("" for none)."""
    return {
        "connections": request.app[REACHABILITY].to_json(),
        "connection": request.query.get("connection", ""),
        "here": request.path,
    }


_PAGES = (dashboard, jobs, failed, queues, workers, schedules, logs, charts, webhooks, bulk, sync, templates, settings)
ROUTES = [route for page in _PAGES for route in page.routes]
