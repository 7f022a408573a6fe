"""REST of the sync of marketplaces."""

from aiohttp import web

from arqlight.errors import InvalidInput
from arqlight.families.sync.syncing import MARKETPLACES, list_runs, sync_sales
from arqlight_service.api.answers import done, enqueue
from arqlight_service.api.call import call
from arqlight_service.api.requests import Strict
from arqlight_service.api.shapes.answer import Items
from arqlight_service.api.shapes.job import Enqueued
from arqlight_service.auth.roles import Role
from arqlight_service.families.database import DATABASE
from arqlight_service.families.sync.shapes import SyncRun

routes = web.RouteTableDef()


class RunsQuery(Strict):
    """Which runs."""

    marketplace: str | None = None


class SyncRequest(Strict):
    """A marketplace to sync now."""

    marketplace: str


@routes.get("/api/v1/sync/runs")
@call(Role.VIEWER, tag="sync", answers={200: Items[SyncRun]}, query=RunsQuery)
async def sync_runs(request: web.Request, query: RunsQuery) -> web.Response:
    """The newest runs with their reports."""
    if query.marketplace is not None:
        _check(query.marketplace)
    runs = await list_runs(request.app[DATABASE], query.marketplace)
    return web.json_response({"items": runs})


@routes.post("/api/v1/sync")
@call(Role.OPERATOR, tag="sync", answers={202: Enqueued}, body=SyncRequest, does="start a sync")
async def sync_now(request: web.Request, asked: SyncRequest) -> web.Response:
    """Sync a marketplace now."""
    _check(asked.marketplace)
    return done(request, {"id": await enqueue(request, sync_sales, marketplace=asked.marketplace)}, "/sync", 202)


def _check(marketplace: str) -> None:
    if marketplace not in MARKETPLACES:
        raise InvalidInput("marketplace", f"no marketplace {marketplace[:50]!r}; there are {', '.join(MARKETPLACES)}")
