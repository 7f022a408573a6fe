"""REST of the sync of marketplaces."""

from typing import Any

from aiohttp import web

from arqlight.errors import InvalidInput
from arqlight.families.sync.events import read_event, write_event
from arqlight.families.sync.marketplace import marketplaces
from arqlight.families.sync.runs import find_run, list_runs
from arqlight.families.sync.syncing import sync_sales
from arqlight_service.api.answers import done, enqueue
from arqlight_service.api.call import call
from arqlight_service.api.requests import Strict, check_content_type
from arqlight_service.api.shapes.answer import Items
from arqlight_service.api.shapes.job import Enqueued
from arqlight_service.app_keys import SETTINGS
from arqlight_service.audit.told import tell
from arqlight_service.auth.roles import Role
from arqlight_service.families.database import DATABASE
from arqlight_service.families.sync.shapes import EventTaken, SyncReport, SyncRun

routes = web.RouteTableDef()


class RunsQuery(Strict):
    """Which runs."""

    marketplace: str | None = None


class SyncRequest(Strict):
    """A marketplace to sync now."""

    marketplace: str
    full: bool = False
    """Whether every sale is read again, with a report of what differs; else what is new and what changed lately."""


@routes.get("/api/v1/sync/runs")
@call(Role.VIEWER, tag="sync", answers={200: Items[SyncRun]}, query=RunsQuery)
async def sync_runs(request: web.Request, query: RunsQuery) -> web.Response:
    """The newest runs with their counts."""
    if query.marketplace is not None:
        _check(query.marketplace)
    runs = await list_runs(request.app[DATABASE], query.marketplace)
    return web.json_response({"items": runs})


@routes.get("/api/v1/sync/runs/{id:[0-9]{1,18}}")
@call(Role.VIEWER, tag="sync", answers={200: SyncReport}, refuses=(404,))
async def sync_run(request: web.Request) -> web.Response:
    """One run with the differences that it found."""
    return web.json_response(await find_run(request.app[DATABASE], int(request.match_info["id"])))


@routes.post("/api/v1/sync")
@call(Role.OPERATOR, tag="sync", answers={202: Enqueued}, body=SyncRequest, does="start a sync")
async def sync_now(request: web.Request, asked: SyncRequest) -> web.Response:
    """Sync a marketplace now."""
    _check(asked.marketplace)
    job_id = await enqueue(request, sync_sales, marketplace=asked.marketplace, full=asked.full)
    what = f"start a {'full ' if asked.full else ''}sync of {asked.marketplace}"
    tell(request, what=what, after={**asked.model_dump(), "id": job_id})
    return done(request, {"id": job_id}, "/sync", 202)


@routes.post("/api/v1/sync/{marketplace}/events")
@call(
    Role.PUBLIC,
    tag="sync",
    answers={200: EventTaken},
    body=(dict[str, Any],),  # as its bytes were signed: the handler reads them
    refuses=(403, 404),
    does="take an event of {marketplace}",
    kind="routine",
)
async def take_event(request: web.Request) -> web.Response:
    """Take a signed webhook of a marketplace: a sale, a refund or a dispute. The same one again changes nothing."""
    check_content_type(request)
    name = request.match_info["marketplace"]
    event = read_event(request.app[SETTINGS], name, await request.read(), request.headers)
    result = "ignored" if event is None else await write_event(request.app[DATABASE], name, event)
    tell(request, after={"marketplace": name, "result": result})
    return web.json_response({"result": result})


def _check(marketplace: str) -> None:
    if marketplace not in marketplaces():
        known = ", ".join(marketplaces())
        raise InvalidInput("marketplace", f"no marketplace {marketplace[:50]!r}; there are {known}")
