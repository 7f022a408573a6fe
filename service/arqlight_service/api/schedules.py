"""Periodic jobs."""

from typing import Annotated, Any

from aiohttp import web
from pydantic import Field

from arqlight.jobs.display import iso
from arqlight.jobs.periodic_job import PeriodicJob
from arqlight.jobs.queues import queue_name
from arqlight_service.api.answers import done
from arqlight_service.api.call import call
from arqlight_service.api.paths import path_name
from arqlight_service.api.problems import Problem
from arqlight_service.api.requests import Strict
from arqlight_service.api.shapes.answer import Items
from arqlight_service.api.shapes.job import Enqueued
from arqlight_service.api.shapes.operator import Schedule
from arqlight_service.app_keys import connection_of
from arqlight_service.audit.told import tell
from arqlight_service.auth.roles import Role

routes = web.RouteTableDef()


class ScheduleChange(Strict):
    """What can be changed of a schedule."""

    cron: Annotated[str, Field(max_length=200)] | None = None
    jitter_s: float | None = None
    enabled: bool | None = None


@routes.get("/api/v1/schedules")
@call(Role.VIEWER, tag="schedules", answers={200: Items[Schedule]}, by_connection=True)
async def schedules(request: web.Request) -> web.Response:
    """Every periodic job."""
    kept = connection_of(request, "schedules").schedules
    last = await kept.last_jobs()
    shown = [schedule_json(each, last.get(each.name)) for each in await kept.all()]
    return web.json_response({"items": shown})


@routes.post("/api/v1/schedules/{name}")
@routes.patch("/api/v1/schedules/{name}")
@call(
    Role.ADMIN,
    tag="schedules",
    answers={200: Schedule},
    body=ScheduleChange,
    refuses=(404,),
    by_connection=True,
    does="schedule {name}",
)
async def edit_schedule(request: web.Request, change: ScheduleChange) -> web.Response:
    """Change when a periodic job runs, or whether it does."""
    if not (given := change.model_dump(exclude_none=True)):
        raise Problem(422, "nothing to change was given", field="body")
    name = path_name(request, "name")
    kept = connection_of(request, "schedules").schedules
    before, changed = await kept.change(name, **given)
    tell(request, before={field: getattr(before, field) for field in given}, after=given)
    last = (await kept.last_jobs()).get(name)
    return done(request, schedule_json(changed, last), "/schedules")


@routes.post("/api/v1/schedules/{name}/run")
@call(
    Role.OPERATOR,
    tag="schedules",
    answers={202: Enqueued},
    refuses=(404, 409),
    by_connection=True,
    does="run schedule {name} now",
)
async def run_schedule(request: web.Request) -> web.Response:
    """Enqueue its job now."""
    job_id = await connection_of(request, "schedules").schedules.fire_now(path_name(request, "name"))
    tell(request, after={"id": job_id})
    return done(request, {"id": job_id}, "/schedules", 202)


def schedule_json(schedule: PeriodicJob, last_job: str | None) -> dict[str, Any]:
    """A schedule, in words too."""
    return {
        "name": schedule.name, "cron": schedule.cron, "words": schedule.words, "jitter_s": schedule.jitter_s,
        "enabled": schedule.enabled, "task": schedule.task, "queue": queue_name(schedule.queue),
        "kwargs": schedule.kwargs, "next_at": iso(schedule.next_ms()) if schedule.enabled else None,
        "last_job": last_job,
    }  # fmt: skip
