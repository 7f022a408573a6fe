"""`/schedules`: periodic jobs, in words; edit, switch off, run now."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from arqlight.connections.connection import Connection
from arqlight.errors import JobNotFound
from arqlight_service.api.control import schedule_json
from arqlight_service.app_keys import connection_of
from arqlight_service.auth.roles import Role, needs
from arqlight_service.pages.missing_parts import missing

routes = web.RouteTableDef()


@routes.get("/schedules")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("schedules.html")
async def schedule_list(request: web.Request) -> dict[str, Any]:
    """Ours, which can be edited, and the cron jobs of applications, as their workers tell."""
    connection = connection_of(request)
    workers = await connection.reader.workers()
    crons = {cron["name"]: cron for worker in workers for cron in worker["crons"]}
    return {
        "page": "schedules",
        "schedules": await _shown(connection) if connection.supports("schedules") else [],
        "no_schedules": missing(request, "schedules"),
        "crons": list(crons.values()),
    }


async def _shown(connection: Connection) -> list[dict[str, Any]]:
    """Each schedule with its last job, where that is still known."""
    last = await connection.schedules.last_jobs()
    shown = []
    for schedule in await connection.schedules.all():
        job_id = last.get(schedule.name)
        try:
            job = await connection.reader.job_json(job_id) if job_id else None
        except JobNotFound:
            job = None
        shown.append({**schedule_json(schedule, job_id), "last": job})
    return shown
