"""REST of the sync of marketplaces."""

from aiohttp import web

from arqlight.errors import InvalidInput
from arqlight.families.sync.syncing import MARKETPLACES, list_runs, sync_sales
from arqlight_service.api.answers import done, enqueue
from arqlight_service.api.requests import Strict, parse_input
from arqlight_service.auth.roles import Role, needs
from arqlight_service.families.database import DATABASE

routes = web.RouteTableDef()


class SyncRequest(Strict):
    """A marketplace to sync now."""

    marketplace: str


@routes.get("/api/v1/sync/runs")
@needs(Role.VIEWER)
async def sync_runs(request: web.Request) -> web.Response:
    """The newest runs with their reports."""
    marketplace = request.query.get("marketplace")
    if marketplace is not None:
        _check(marketplace)
    runs = await list_runs(request.app[DATABASE], marketplace)
    return web.json_response({"items": runs})


@routes.post("/api/v1/sync")
@needs(Role.OPERATOR, does="start a sync")
async def sync_now(request: web.Request) -> web.Response:
    """Sync a marketplace now: 202 with the job's id."""
    marketplace = (await parse_input(request, SyncRequest)).marketplace
    _check(marketplace)
    return done(request, {"id": await enqueue(request, sync_sales, marketplace=marketplace)}, "/sync", 202)


def _check(marketplace: str) -> None:
    if marketplace not in MARKETPLACES:
        raise InvalidInput("marketplace", f"no marketplace {marketplace[:50]!r}; there are {', '.join(MARKETPLACES)}")
