"""Queues: what is in them, pause, resume, empty; and the workers that take from them."""

from aiohttp import web
from pydantic import Field

from arqlight.errors import InvalidInput
from arqlight.jobs.queues import queue_name
from arqlight_service.api.answers import done
from arqlight_service.api.call import call
from arqlight_service.api.filters import known_queue
from arqlight_service.api.paths import path_name
from arqlight_service.api.requests import Strict
from arqlight_service.api.shapes.answer import Items
from arqlight_service.api.shapes.operator import Operation
from arqlight_service.api.shapes.queue import Paused, Queue, Rates
from arqlight_service.api.shapes.worker import Worker
from arqlight_service.app_keys import OPERATIONS, connection_of
from arqlight_service.audit.told import tell
from arqlight_service.auth.identity import actor
from arqlight_service.auth.roles import Role

routes = web.RouteTableDef()


class Confirmation(Strict):
    """The name of what is about to go, typed."""

    confirm: str = Field(max_length=300)


@routes.get("/api/v1/queues")
@call(Role.VIEWER, tag="queues", answers={200: Items[Queue]}, by_connection=True)
async def queues(request: web.Request) -> web.Response:
    """Every queue that was seen, with what is in it."""
    overview = await connection_of(request).reader.overview()
    return web.json_response({"items": [queue.to_json() for queue in overview.queues]})


@routes.post("/api/v1/queues/{queue}/{action:pause|resume}")
@call(
    Role.OPERATOR,
    tag="queues",
    answers={200: Paused},
    refuses=(404, 409),
    by_connection=True,
    does="queue {queue}",
)
async def pause(request: web.Request) -> web.Response:
    """Stop, or go on, claiming from a queue: in force with the next claim of any worker."""
    key, action = await known_queue(request, path_name(request, "queue")), request.match_info["action"]
    if await connection_of(request).journal.pause(key, action == "pause"):
        before, after = _before_after(action)
        tell(request, before=before, after=after)
    return done(request, {"queue": queue_name(key), "paused": action == "pause"}, "/queues")


@routes.post("/api/v1/queues/{queue}/empty")
@call(
    Role.ADMIN,
    tag="queues",
    answers={202: Operation},
    body=Confirmation,
    refuses=(404, 409),
    by_connection=True,
    does="empty queue {queue}",
)
async def empty(request: web.Request, given: Confirmation) -> web.Response:
    """Remove all that waits in a queue, in the background."""
    key = await known_queue(request, path_name(request, "queue"))
    typed = given.confirm.strip()
    if typed != queue_name(key):
        raise InvalidInput("confirm", f"{typed!r} is not the queue's name; type {queue_name(key)} to purge it")
    operation = await request.app[OPERATIONS].start(
        "empty", actor(request), connection=connection_of(request).name, queue=key
    )
    tell(request, after={"operation": operation.id, "total": operation.total})
    return done(request, operation.to_json(), "/queues", 202)


@routes.get("/api/v1/rates")
@call(Role.VIEWER, tag="queues", answers={200: Rates}, by_connection=True)
async def rates(request: web.Request) -> web.Response:
    """Of each queue what the last five minutes counted."""
    found = await connection_of(request).reader.rates()
    return web.json_response({"items": {queue_name(key): rate for key, rate in found.items()}})


@routes.get("/api/v1/workers")
@call(Role.VIEWER, tag="workers", answers={200: Items[Worker]}, by_connection=True)
async def workers(request: web.Request) -> web.Response:
    """Every live worker."""
    return web.json_response({"items": await connection_of(request).reader.workers()})


def _before_after(action: str) -> tuple[str, str]:
    return ("running", "paused") if action == "pause" else ("paused", "running")
