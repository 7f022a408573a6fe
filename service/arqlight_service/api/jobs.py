"""Jobs: enqueue, list, look at, cancel, run again."""

import asyncio
from typing import Any

from aiohttp import web
from arq.jobs import SerializationError

from arqlight.connections.connection import Connection
from arqlight.jobs.editing import edited_arguments
from arqlight.jobs.names import shown_name
from arqlight.jobs.queues import queue_name
from arqlight.journal.journal import NewJob
from arqlight_service.api.answers import done, page_of, suffix
from arqlight_service.api.call import call
from arqlight_service.api.filters import JobsQuery, filter_of
from arqlight_service.api.job_requests import EditedJob, JobRequest, JobsRequest, lane_of, parse_body, resolve_jobs
from arqlight_service.api.paths import path_name, segment
from arqlight_service.api.problems import Problem
from arqlight_service.api.shapes.answer import Page
from arqlight_service.api.shapes.job import Cancelled, Job, JobDetail, JobIds
from arqlight_service.api.shapes.queue import Stats
from arqlight_service.app_keys import CONNECTIONS, SETTINGS, connection_of
from arqlight_service.audit.told import tell
from arqlight_service.auth.roles import ENQUEUE, Role

routes = web.RouteTableDef()


@routes.get("/api/v1/stats")
@call(Role.VIEWER, tag="figures", answers={200: Stats}, by_connection=True)
async def stats(request: web.Request) -> web.Response:
    """The figures, of one instant."""
    return web.json_response((await connection_of(request).reader.overview()).stats())


@routes.get("/api/v1/jobs")
@call(Role.VIEWER, tag="jobs", answers={200: Page[Job]}, query=JobsQuery, by_connection=True)
async def list_jobs(request: web.Request, query: JobsQuery) -> web.Response:
    """Jobs of every state, the newest first within each; scheduled ones, the soonest first."""
    jobs, following = await connection_of(request).reader.jobs(
        state=query.state, where=await filter_of(request, query), limit=query.limit, cursor=query.cursor
    )
    return page_of([job.to_json() for job in jobs], following, query.limit)


@routes.post("/api/v1/jobs")
@call(
    Role.OPERATOR,
    ENQUEUE,
    tag="jobs",
    answers={201: JobDetail | JobIds},
    body=(JobRequest, JobsRequest),
    refuses=(409,),
    by_connection=True,
    does="enqueue",
    kind="routine",
)
async def enqueue(request: web.Request) -> web.Response:
    """Enqueue a job, answered with it and its `Location`; or many, all of them or none, answered with their ids."""
    body = await parse_body(request)
    asked = body if isinstance(body, list) else [body]
    connection = route_of(request, asked)
    jobs = await resolve_jobs(connection.reader, asked)
    await _check_ids(connection, jobs)
    try:
        ids = await connection.journal.enqueue(jobs)
    except SerializationError as error:
        raise Problem(422, f"the arguments cannot be pickled: {error.__cause__}") from error
    tell(request, after={"tasks": sorted({job.task for job in asked}), "jobs": len(ids), "ids": ids[:20]})
    if isinstance(body, JobRequest):
        # Of a job too large to be read for a list, the task is known here all the same.
        shown = await connection.reader.job_json(ids[0]) | {"task": body.task}
        location = f"/api/v1/jobs/{segment(shown['id'])}{suffix(connection.name)}"
        return web.json_response(shown, status=201, headers={"Location": location})
    return web.json_response({"ids": ids}, status=201)


async def _check_ids(connection: Connection, jobs: list[NewJob]) -> None:
    """Raise Problem 409 for the id of a job that people may still look at, retry or run again: it would be gone."""
    for job_id, state in (await connection.reader.kept([job.id for job in jobs if job.id is not None])).items():
        raise Problem(
            409, f"job {shown_name(job_id)!r} {state}, and is kept: retry or delete it, or choose another id",
            field="id",
        )  # fmt: skip


def route_of(request: web.Request, asked: list[JobRequest]) -> Connection:
    """Where jobs go to: the connection that is named, else the one set for their task or queue. Raises Problem 422."""
    if request.query.get("connection"):
        return connection_of(request)
    settings = request.app[SETTINGS]
    routes = {settings.route(job.task, job.queue or lane_of(job.task)) for job in asked}
    if len(routes) > 1:
        raise Problem(422, "these jobs go to different connections (ARQLIGHT_ROUTES); send each group by itself")
    return request.app[CONNECTIONS].find(routes.pop())


@routes.get("/api/v1/jobs/{id}")
@call(Role.VIEWER, tag="jobs", answers={200: JobDetail}, refuses=(404,), by_connection=True)
async def one_job(request: web.Request) -> web.Response:
    """One job with all that is kept of it."""
    return web.json_response(await connection_of(request).reader.job_json(path_name(request, "id")))


@routes.post("/api/v1/jobs/{id}/cancel")
@call(
    Role.OPERATOR, tag="jobs", answers={202: Cancelled}, refuses=(404, 409), by_connection=True, does="cancel job {id}"
)
async def cancel(request: web.Request) -> web.Response:
    """Cancel a job that waits, or ask the worker of a running one to stop it."""
    job = (await connection_of(request).reader.job(path_name(request, "id"))).job
    if job.state == "processing" and not await _aborts(request, job.worker):
        raise Problem(409, f"job {job.id!r} runs in a worker that aborts no jobs; set allow_abort_jobs = True there")
    cancelled = await connection_of(request).journal.cancel(job.id, job.queue, job.task, job.created_ms)
    tell(request, before={"state": job.state, "task": job.task})
    told: dict[str, Any] = {"id": shown_name(job.id), "state": "cancelled" if cancelled else "processing"}
    return done(request, told, f"/jobs/{segment(told['id'])}", 202)


@routes.post("/api/v1/jobs/{id}/again")
@call(
    Role.OPERATOR,
    tag="jobs",
    answers={201: JobDetail},
    body=EditedJob,
    refuses=(404, 409),
    by_connection=True,
    does="run job {id} again, edited",
)
async def again(request: web.Request, edited: EditedJob) -> web.Response:
    """Enqueue the job's task anew, with edited arguments: what is sent as it was shown stays what it was, exactly."""
    reader, job_id = connection_of(request).reader, path_name(request, "id")
    job = (await reader.job(job_id)).job
    payload = await reader.payload(job_id)
    args, kwargs = await asyncio.to_thread(edited_arguments, payload, list(edited.args), edited.kwargs)
    asked = JobRequest(task=job.task, args=args, kwargs=kwargs, queue=edited.queue or queue_name(job.queue), delay_s=0)
    try:
        new_id = (await connection_of(request).journal.enqueue(await resolve_jobs(reader, [asked])))[0]
    except SerializationError as error:
        raise Problem(422, f"the arguments cannot be pickled: {error.__cause__}") from error
    tell(request, after={"task": job.task, "id": new_id})
    shown = await reader.job_json(new_id)
    return done(request, shown, f"/jobs/{segment(shown['id'])}", 201)


async def _aborts(request: web.Request, worker: str | None) -> bool:
    known: dict[str, Any] = {about["id"]: about for about in await connection_of(request).reader.workers()}
    # A plain arq worker tells nothing of itself: it is asked, and may obey.
    return worker not in known or known[worker]["aborts"]
