"""Answers to what changes something: JSON for programmes, and for a person's form the page it came from."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlunsplit

from aiohttp import web

from arqlight.connections.connection import Connection
from arqlight.jobs.queues import queue_name
from arqlight.journal.journal import NewJob
from arqlight.tasks import Task
from arqlight_service.api.accept import wants_page
from arqlight_service.api.header_addresses import address_in
from arqlight_service.api.problems import is_form
from arqlight_service.app_keys import CONNECTIONS, SETTINGS
from arqlight_service.audit.told import tell

DEFAULT = "default"


def suffix(connection: str | None) -> str:
    """What an address needs to mean a connection: nothing for the first one."""
    return "" if connection in (None, "", DEFAULT) else f"?connection={quote(connection)}"


def done(request: web.Request, body: Any, page: str, status: int = 200) -> web.Response:
    """`body` as JSON; to a form that a browser sent by itself, a redirect to `page`."""
    if is_form(request) and wants_page(request):
        raise web.HTTPSeeOther(back_to(request, page))
    return web.json_response(body, status=status)


def is_cut(items: Sequence[Any], following: str | None, limit: int) -> bool:
    """Whether a page ended before it was full, and before the list did: reading more would have taken too much."""
    return following is not None and len(items) < limit


def page_of(items: Sequence[Any], following: str | None, limit: int) -> web.Response:
    """A page of a list (see `shapes.answer.Page`)."""
    return web.json_response({"items": items, "next": following, "cut": is_cut(items, following, limit)})


def back_to(request: web.Request, page: str) -> str:
    """The address of `page` as it was where the form stood, with its filter; else the page of the same connection."""
    came_from = address_in(request, "Referer")
    if (came_from.netloc, came_from.path) == (request.host, page):
        return urlunsplit(("", "", page, came_from.query, ""))
    return page + suffix(request.query.get("connection"))


def place_of(request: web.Request, task: Task) -> Connection:
    """The connection that jobs of a bundled task go to. Raises NotFound."""
    route = request.app[SETTINGS].route(task.name, queue_name(task.queue))
    return request.app[CONNECTIONS].find(route or task.connection)


async def enqueue(request: web.Request, task: Task, new_id: str | None = None, /, **kwargs: Any) -> str:
    """Enqueue one of the bundled tasks in its own queue, where its jobs go to; the job's id, which `new_id` chooses."""
    connection = place_of(request, task)
    job_id = (await connection.journal.enqueue([NewJob(task.name, task.queue, (), kwargs, new_id)]))[0]
    tell(request, after={"task": task.name, "id": job_id})
    return job_id
