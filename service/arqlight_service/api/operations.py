"""Work on many jobs at once."""

from typing import Literal

from aiohttp import web
from pydantic import Field

from arqlight.errors import InvalidInput
from arqlight_service.api.answers import done
from arqlight_service.api.call import call
from arqlight_service.api.filters import FILTERS, Filter, filter_of
from arqlight_service.api.requests import KnownId
from arqlight_service.api.shapes.answer import Items
from arqlight_service.api.shapes.operator import Operation
from arqlight_service.app_keys import OPERATIONS, connection_of
from arqlight_service.audit.told import tell
from arqlight_service.auth.identity import actor
from arqlight_service.auth.roles import Role
from arqlight_service.operations.operations import MOST_IDS

routes = web.RouteTableDef()


class OperationRequest(Filter):
    """Retry or delete failed jobs: those named, those that match, or every one."""

    kind: Literal["retry", "delete"]
    ids: list[KnownId] = Field([], max_length=MOST_IDS)
    all: bool = False
    """Every failed job. Nothing else means that: a selection that is empty is refused."""


@routes.get("/api/v1/operations")
@call(Role.VIEWER, tag="operations", answers={200: Items[Operation]})
async def operations(request: web.Request) -> web.Response:
    """The newest operations."""
    return web.json_response({"items": [each.to_json() for each in await request.app[OPERATIONS].newest()]})


@routes.post("/api/v1/operations")
@call(
    Role.OPERATOR,
    tag="operations",
    answers={202: Operation},
    body=OperationRequest,
    refuses=(404, 409),
    by_connection=True,
    does="retry or delete failed jobs",
)
async def start_operation(request: web.Request, asked: OperationRequest) -> web.Response:
    """Retry or delete many failed jobs in the background: those of `ids`, those that match, or with `all` every one."""
    _check_selection(asked)
    where = await filter_of(request, asked)
    operation = await request.app[OPERATIONS].start(
        asked.kind,
        actor(request),
        connection=connection_of(request).name,
        where=where,
        ids=tuple(dict.fromkeys(asked.ids)),
    )
    selected = operation.where or {"ids": list(operation.ids[:20])}
    tell(
        request, what=f"{asked.kind} failed jobs",
        after={"operation": operation.id, "total": operation.total, **selected},
    )  # fmt: skip
    return done(request, operation.to_json(), "/failed", 202)


@routes.get("/api/v1/operations/{id}")
@call(Role.VIEWER, tag="operations", answers={200: Operation}, refuses=(404,))
async def one_operation(request: web.Request) -> web.Response:
    """How far it is."""
    return web.json_response((await request.app[OPERATIONS].find(request.match_info["id"])).to_json())


@routes.post("/api/v1/operations/{id}/cancel")
@call(Role.OPERATOR, tag="operations", answers={202: Operation}, refuses=(404, 409), does="stop operation {id}")
async def cancel_operation(request: web.Request) -> web.Response:
    """Stop it where it is; what is done stays done."""
    operation = await request.app[OPERATIONS].cancel(request.match_info["id"])
    return done(request, operation.to_json(), "/failed", 202)


def _check_selection(asked: OperationRequest) -> None:
    """Raise InvalidInput unless the jobs are meant in exactly one way: what is left out must never mean all."""
    ways = [bool(asked.ids), any(getattr(asked, name) for name in FILTERS), asked.all]
    if not any(ways) or ("ids" in asked.model_fields_set and not asked.ids):
        raise InvalidInput("ids", "no job is selected; select some, give a filter, or all=true for every failed job")
    if sum(ways) > 1:
        raise InvalidInput("ids", "give ids, a filter or all, only one of them")
