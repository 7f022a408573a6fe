"""What is set for queues and tasks over what the code says."""

from dataclasses import fields
from typing import Literal

from aiohttp import web

from arqlight.jobs.overrides import Override
from arqlight.jobs.queues import queue_name
from arqlight_service.api.answers import done
from arqlight_service.api.call import call
from arqlight_service.api.filters import known_queue
from arqlight_service.api.paths import path_name
from arqlight_service.api.problems import Problem
from arqlight_service.api.requests import Strict
from arqlight_service.api.shapes.answer import Items
from arqlight_service.api.shapes.operator import Setting
from arqlight_service.app_keys import connection_of
from arqlight_service.audit.told import tell
from arqlight_service.auth.roles import Role

# What can be set, and what each is.
FIELDS = {each.name: str(each.metadata["about"]) for each in fields(Override)}
routes = web.RouteTableDef()


class OverrideRequest(Strict):
    """The fields of `Override`; an empty one of a form is not set."""

    timeout_s: float | Literal[""] | None = None
    tries: int | Literal[""] | None = None
    backoff_first_s: float | Literal[""] | None = None
    backoff_longest_s: float | Literal[""] | None = None
    keep_result_s: float | Literal[""] | None = None
    concurrency: int | Literal[""] | None = None


@routes.get("/api/v1/settings")
@call(Role.VIEWER, tag="settings", answers={200: Items[Setting]}, by_connection=True)
async def settings(request: web.Request) -> web.Response:
    """What was set for queues and tasks over what the code says."""
    shown = [
        {"kind": kind, "name": queue_name(name) if kind == "queue" else name, **override.values()}
        for kind, name, override in (await connection_of(request, "overrides").overrides.read()).items()
    ]
    return web.json_response({"items": shown})


@routes.post("/api/v1/settings/{kind:queue|task}/{name}")
@routes.put("/api/v1/settings/{kind:queue|task}/{name}")
@call(
    Role.ADMIN,
    tag="settings",
    answers={200: Setting},
    body=OverrideRequest,
    refuses=(404,),
    by_connection=True,
    does="{kind} {name}",
)
async def change_settings(request: web.Request, given: OverrideRequest) -> web.Response:
    """Set timeout, tries, back-off and the like of a queue or task; what is left out is as the code says."""
    kind, name = request.match_info["kind"], path_name(request, "name")
    key = await known_queue(request, name) if kind == "queue" else name
    if kind == "task" and name not in await connection_of(request).reader.known_tasks():
        raise Problem(404, f"no worker has announced a task {name!r}")
    overrides = connection_of(request, "overrides").overrides
    before, chosen = await overrides.set(kind, key, given.model_dump())
    tell(request, before=before.values(), after=chosen.values())
    return done(request, {"kind": kind, "name": name, **chosen.values()}, "/settings")
