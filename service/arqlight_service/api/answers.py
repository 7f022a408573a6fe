"""Answers to what changes something: JSON for programmes, and for a person's form the page it came from."""

from typing import Any
from urllib.parse import quote

from aiohttp import web

from arqlight.jobs.queues import queue_name
from arqlight.journal.journal import NewJob
from arqlight.tasks import Task
from arqlight_service.api.accept import wants_page
from arqlight_service.api.problems import is_form
from arqlight_service.app_keys import CONNECTIONS, SETTINGS

DEFAULT = "default"


def suffix(connection: str | None) -> str:
    """What an address needs to mean a connection: nothing for the first one."""
    return "" if connection in (None, "", DEFAULT) else f"?connection={quote(connection)}"


def done(request: web.Request, body: Any, page: str, status: int = 200) -> web.Response:
    """`body` as JSON; to a form that a browser sent by itself, a redirect to `page`."""
    if is_form(request) and wants_page(request):
        raise web.HTTPSeeOther(page)
    return web.json_response(body, status=status)


async def enqueue(request: web.Request, task: Task, **kwargs: Any) -> str:
    """Enqueue one of the bundled tasks in its own queue, where its jobs go to; the job's id."""
    route = request.app[SETTINGS].route(task.name, queue_name(task.queue))
    connection = request.app[CONNECTIONS].find(route or task.connection)
    return (await connection.journal.enqueue([NewJob(task.name, task.queue, (), kwargs)]))[0]
