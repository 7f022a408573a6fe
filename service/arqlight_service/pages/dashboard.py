"""`/`: the three figures, the active jobs, the failed jobs; of all connections together, or of one."""

import asyncio
from typing import Any

import aiohttp_jinja2
from aiohttp import web

from arqlight.connections.connection import Connection
from arqlight.connections.connection_errors import SERVER_ERRORS
from arqlight.errors import ArqlightError
from arqlight.jobs.overview import Overview
from arqlight_service.app_keys import CONNECTIONS, REACHABILITY, connection_of
from arqlight_service.auth.roles import Role, needs
from arqlight_service.feed.feed import FAILED_ROWS, WATCHED_S
from arqlight_service.pages.merge import add_up, merge_active, merge_failed, worst_status

routes = web.RouteTableDef()
Read = tuple[Overview, list[dict[str, Any]]]


@routes.get("/")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("dashboard.html")
async def dashboard(request: web.Request) -> dict[str, Any]:
    """The three figures, the active jobs, the failed jobs."""
    shown = [connection_of(request)] if request.query.get("connection") else [*request.app[CONNECTIONS]]
    answers = await asyncio.gather(*(_read(request.app, connection) for connection in shown))
    read = {connection.name: answer for connection, answer in zip(shown, answers, strict=True) if answer}
    stats = {name: overview.stats() for name, (overview, _) in read.items()}
    failed = merge_failed([jobs for _, jobs in read.values()], FAILED_ROWS)
    total = add_up(stats)
    return {
        "page": "dashboard",
        "stats": total,
        "standing": worst_status(stats),
        "active": merge_active([[job.to_json() for job in overview.active] for overview, _ in read.values()]),
        "failed": failed,
        "more": total["failed"] > len(failed),
        "rows": FAILED_ROWS,
        "cursors": {connection.name: stats.get(connection.name, {}).get("cursor") for connection in shown},
    }


async def _read(app: web.Application, connection: Connection) -> Read | None:
    """What a connection has to show; nothing of one that is down: the page says so, and shows the others."""
    if len(app[CONNECTIONS]) > 1 and app[REACHABILITY].problem(connection.name):
        return None
    try:
        await connection.stream.say_watched(WATCHED_S)
        overview = await connection.reader.overview()
        failed, _ = await connection.reader.failed(limit=FAILED_ROWS)
        return overview, failed
    except (*SERVER_ERRORS, ArqlightError):
        if len(app[CONNECTIONS]) == 1:
            raise
        await app[REACHABILITY].ask(connection)
        return None
