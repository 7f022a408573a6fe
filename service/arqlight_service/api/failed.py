"""Failed jobs: list, look at, retry, delete, and by cause."""

from aiohttp import web
from pydantic import Field

from arqlight_service.api.answers import page_of
from arqlight_service.api.call import call
from arqlight_service.api.filters import FailedQuery, filter_of
from arqlight_service.api.paths import path_name
from arqlight_service.api.problems import Problem
from arqlight_service.api.requests import Strict
from arqlight_service.api.shapes.answer import Page
from arqlight_service.api.shapes.job import FailedJob, JobDetail
from arqlight_service.api.shapes.operator import Groups
from arqlight_service.app_keys import connection_of
from arqlight_service.auth.roles import Role

routes = web.RouteTableDef()


class GroupsQuery(Strict):
    """A part of the list of causes."""

    first: int = Field(0, ge=0, le=999_999_999, alias="from")
    """How many to leave out."""


@routes.get("/api/v1/failed")
@call(Role.VIEWER, tag="failed jobs", answers={200: Page[FailedJob]}, query=FailedQuery, by_connection=True)
async def list_failed(request: web.Request, query: FailedQuery) -> web.Response:
    """Failed jobs with error and stack trace, newest first."""
    items, following = await connection_of(request).reader.failed(
        where=await filter_of(request, query), limit=query.limit, cursor=query.cursor
    )
    return page_of(items, following, query.limit)


@routes.get("/api/v1/failed/{id}")
@call(Role.VIEWER, tag="failed jobs", answers={200: FailedJob}, refuses=(404,), by_connection=True)
async def one_failed(request: web.Request) -> web.Response:
    """One job of the failed list, as the list shows it."""
    job_id = path_name(request, "id")
    found = await connection_of(request).reader.failed_by_id([job_id])
    if not found:
        raise Problem(404, f"no job with id {path_name(request, 'id')!r} is in the failed list")
    return web.json_response(found[0])


@routes.post("/api/v1/failed/{id}/retry")
@call(
    Role.OPERATOR,
    tag="failed jobs",
    answers={200: JobDetail},
    refuses=(404, 409),
    by_connection=True,
    does="retry job {id}",
)
async def retry(request: web.Request) -> web.Response:
    """Put a failed job back into its queue with 0 attempts."""
    job_id = path_name(request, "id")
    await connection_of(request).journal.retry(job_id)
    # A worker may have taken it already: the answer says what the retry made of it.
    shown = await connection_of(request).reader.job_json(job_id)
    return web.json_response(shown | {"state": "queued", "attempts": 0, "worker": None, "started_at": None})


@routes.delete("/api/v1/failed/{id}")
@call(
    Role.OPERATOR,
    tag="failed jobs",
    answers={204: None},
    refuses=(404, 409),
    by_connection=True,
    does="delete job {id}",
)
async def delete(request: web.Request) -> web.Response:
    """Delete a failed job permanently."""
    await connection_of(request).journal.delete(path_name(request, "id"))
    return web.Response(status=204)


@routes.get("/api/v1/groups")
@call(Role.VIEWER, tag="failed jobs", answers={200: Groups}, query=GroupsQuery, by_connection=True)
async def groups(request: web.Request, query: GroupsQuery) -> web.Response:
    """Failed jobs by what made them fail, the last seen first."""
    found, total = await connection_of(request).reader.groups(query.first)
    return web.json_response({"items": found, "total": total})
