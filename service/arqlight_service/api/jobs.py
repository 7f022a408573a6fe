"""REST, under `/api/v1`. What comes in is checked by `requests.py`; what goes out is `Job.to_json` and the like."""

from typing import Any
from urllib.parse import quote

from aiohttp import web
from arq.jobs import SerializationError

from arqlight.connections.connection import Connection
from arqlight.jobs.editing import fill_in, original_arguments
from arqlight.jobs.filters import JobFilter
from arqlight.jobs.queues import queue_key, queue_name
from arqlight_service.api.answers import done, suffix
from arqlight_service.api.problems import Problem
from arqlight_service.api.requests import (
    FILTERS,
    EditedJob,
    JobRequest,
    ListQuery,
    lane_of,
    parse_body,
    parse_id,
    parse_input,
    parse_list_query,
    resolve_jobs,
    to_ms,
)
from arqlight_service.app_keys import CONNECTIONS, SETTINGS, connection_of
from arqlight_service.auth.roles import ENQUEUE, Role, needs

routes = web.RouteTableDef()


@routes.get("/api/v1/stats")
@needs(Role.VIEWER)
async def stats(request: web.Request) -> web.Response:
    """The figures, of one instant."""
    return web.json_response((await connection_of(request).reader.overview()).stats())


@routes.get("/api/v1/jobs")
@needs(Role.VIEWER)
async def list_jobs(request: web.Request) -> web.Response:
    """`?state=&queue=&task=&q=&since=&until=&limit=&cursor=`: `{"items": [job], "next"}`."""
    query = parse_list_query(request, *FILTERS, "state", "limit", "cursor")
    jobs, following = await connection_of(request).reader.jobs(
        state=query.state, where=await filter_of(request, query), limit=query.limit, cursor=query.cursor
    )
    return web.json_response({"items": [job.to_json() for job in jobs], "next": following})


@routes.post("/api/v1/jobs")
@needs(Role.OPERATOR, ENQUEUE)
async def enqueue(request: web.Request) -> web.Response:
    """One job: 201 with it and its `Location`. `{"jobs": [...]}`: all of them or none, 201 with their ids."""
    body = await parse_body(request)
    asked = body if isinstance(body, list) else [body]
    connection = route_of(request, asked)
    jobs = await resolve_jobs(connection.reader, asked)
    try:
        ids = await connection.journal.enqueue(jobs)
    except SerializationError as error:
        raise Problem(422, f"the arguments cannot be pickled: {error.__cause__}") from error
    if isinstance(body, JobRequest):
        shown = await connection.reader.job_json(ids[0])
        location = f"/api/v1/jobs/{quote(ids[0], safe='')}{suffix(connection.name)}"
        return web.json_response(shown, status=201, headers={"Location": location})
    return web.json_response({"ids": ids}, status=201)


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
@needs(Role.VIEWER)
async def one_job(request: web.Request) -> web.Response:
    """The job, with `failures` (newest first), `timeline` and `result`."""
    return web.json_response(await connection_of(request).reader.job_json(parse_id(request)))


@routes.post("/api/v1/jobs/{id}/cancel")
@needs(Role.OPERATOR, does="cancel job {id}")
async def cancel(request: web.Request) -> web.Response:
    """202: a waiting job is cancelled, a running one's worker was asked to abort it."""
    job = (await connection_of(request).reader.job(parse_id(request))).job
    if job.state == "processing" and not await _aborts(request, job.worker):
        raise Problem(409, f"job {job.id!r} runs in a worker that aborts no jobs; set allow_abort_jobs = True there")
    cancelled = await connection_of(request).journal.cancel(job.id, job.queue, job.task, job.created_ms)
    told = {"id": job.id, "state": "cancelled" if cancelled else "processing"}
    return done(request, told, f"/jobs/{quote(job.id, safe='')}", 202)


@routes.post("/api/v1/jobs/{id}/again")
@needs(Role.OPERATOR, does="run job {id} again, edited")
async def again(request: web.Request) -> web.Response:
    """`{"args", "kwargs", "queue"}`: enqueue the job's task anew, with these arguments; 201 with the new job.

    A value that is left masked is what it was.
    """
    reader, job_id = connection_of(request).reader, parse_id(request)
    edited = await parse_input(request, EditedJob)
    job = (await reader.job(job_id)).job
    args, kwargs = original_arguments(await reader.payload(job_id))
    filled = {"args": fill_in(list(edited.args), args, "args"), "kwargs": fill_in(edited.kwargs, kwargs, "kwargs")}
    asked = JobRequest(task=job.task, **filled, queue=edited.queue or queue_name(job.queue), delay_s=0)
    new_id = (await connection_of(request).journal.enqueue(await resolve_jobs(reader, [asked])))[0]
    return done(request, await reader.job_json(new_id), f"/jobs/{quote(new_id, safe='')}", 201)


@routes.get("/api/v1/failed")
@needs(Role.VIEWER)
async def list_failed(request: web.Request) -> web.Response:
    """`?queue=&task=&q=&fingerprint=&since=&until=&limit=&cursor=`: failed jobs with error and trace, newest first."""
    query = parse_list_query(request, *FILTERS, "limit", "cursor")
    items, following = await connection_of(request).reader.failed(
        where=await filter_of(request, query), limit=query.limit, cursor=query.cursor
    )
    return web.json_response({"items": items, "next": following})


@routes.get("/api/v1/failed/{id}")
@needs(Role.VIEWER)
async def one_failed(request: web.Request) -> web.Response:
    """One job of the failed list, as the list shows it."""
    found = await connection_of(request).reader.failed_by_id([parse_id(request)])
    if not found:
        raise Problem(404, f"no job with id {parse_id(request)!r} is in the failed list")
    return web.json_response(found[0])


@routes.post("/api/v1/failed/{id}/retry")
@needs(Role.OPERATOR, does="retry job {id}")
async def retry(request: web.Request) -> web.Response:
    """Back into its queue with 0 attempts: 200 with the job."""
    job_id = parse_id(request)
    await connection_of(request).journal.retry(job_id)
    # A worker may have taken it already: the answer says what the retry made of it.
    shown = await connection_of(request).reader.job_json(job_id)
    return web.json_response(shown | {"state": "queued", "attempts": 0, "worker": None, "started_at": None})


@routes.delete("/api/v1/failed/{id}")
@needs(Role.OPERATOR, does="delete job {id}")
async def delete(request: web.Request) -> web.Response:
    """Gone for good: 204."""
    await connection_of(request).journal.delete(parse_id(request))
    return web.Response(status=204)


@routes.get("/api/v1/queues")
@needs(Role.VIEWER)
async def queues(request: web.Request) -> web.Response:
    """Every queue that was seen, with what is in it."""
    overview = await connection_of(request).reader.overview()
    return web.json_response({"items": [queue.to_json() for queue in overview.queues]})


@routes.get("/api/v1/workers")
@needs(Role.VIEWER)
async def workers(request: web.Request) -> web.Response:
    """Every live worker."""
    return web.json_response({"items": await connection_of(request).reader.workers()})


async def filter_of(request: web.Request, query: ListQuery) -> JobFilter:
    """The jobs that a list's query means."""
    return JobFilter(
        queue=await key_of(request, query.queue) if query.queue else None,
        task=query.task,
        text=query.q,
        fingerprint=query.fingerprint,
        since_ms=to_ms(query.since),
        until_ms=to_ms(query.until),
    )


async def key_of(request: web.Request, name: str) -> str:
    """The key of the queue that is shown as `name`."""
    return queue_key(name, frozenset(await connection_of(request).reader.known_queues()))


async def _aborts(request: web.Request, worker: str | None) -> bool:
    known: dict[str, Any] = {about["id"]: about for about in await connection_of(request).reader.workers()}
    # A plain arq worker tells nothing of itself: it is asked, and may obey.
    return worker not in known or known[worker]["aborts"]
