"""`/charts`: throughput, failures and latency of an hour, a day or a week."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from arqlight.jobs.queues import queue_name
from arqlight.journal.counters import SPANS, Counts
from arqlight_service.api.jobs import key_of
from arqlight_service.api.problems import Problem
from arqlight_service.app_keys import connection_of
from arqlight_service.auth.roles import Role, needs
from arqlight_service.pages.missing_parts import missing, without

routes = web.RouteTableDef()


@routes.get("/charts")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("charts.html")
async def chart_page(request: web.Request) -> dict[str, Any] | web.Response:
    """The figures as a table, which `charts.js` draws."""
    if (said := missing(request, "counters")) is not None:
        return without(request, "charts", "Charts", said)
    span = request.query.get("span", "hour")
    if span not in SPANS:
        raise Problem(400, f"no span {span[:50]!r}; there are {', '.join(SPANS)}", field="span")
    queue = request.query.get("queue") or None
    key = await key_of(request, queue) if queue else None
    chart = await connection_of(request).counters.chart(span, key)  # type: ignore[arg-type]
    return {
        "page": "charts",
        "chart": chart,
        "spans": list(SPANS),
        "queue": queue,
        "queues": [queue_name(key) for key in await connection_of(request).reader.known_queues()],
        "succeeded": sum(point["succeeded"] for point in chart["points"]),
        "failed": sum(point["failed"] for point in chart["points"]),
        "busiest": max(
            (p for p in chart["points"]), key=lambda p: p["succeeded"] + p["failed"], default=Counts().to_json()
        ),
    }
