"""`/schedules`: periodic jobs, in words; edit, switch off, run now."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from arqlight.errors import JobNotFound
from arqlight.journal.schedules import last_jobs, read_schedules
from arqlight_service.api.control import schedule_json
from arqlight_service.app_keys import connection_of, journal_of
from arqlight_service.auth.roles import Role, needs

routes = web.RouteTableDef()


@routes.get("/schedules")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("schedules.html")
async def schedule_list(request: web.Request) -> dict[str, Any]:
    """Ours, which can be edited, and the cron jobs of applications, as their workers tell."""
    redis, reader = journal_of(request).redis, connection_of(request).reader
    last = await last_jobs(redis)
    shown = []
    for schedule in await read_schedules(redis):
        job_id = last.get(schedule.name)
        try:
            job = await reader.job_json(job_id) if job_id else None
        except JobNotFound:
            job = None
        shown.append({**schedule_json(schedule, job_id), "last": job})
    crons = {cron["name"]: cron for worker in await reader.workers() for cron in worker["crons"]}
    return {"page": "schedules", "schedules": shown, "crons": list(crons.values())}
