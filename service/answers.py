"""Answers to what changes something: JSON for programmes, and for a person's form the page it came from."""

from typing import Any

from aiohttp import web

from service.parts import home_of
from service.problems import is_form
from workers.journal import NewJob
from workers.task import Task


def done(request: web.Request, body: Any, page: str, status: int = 200) -> web.Response:
    """`body` as JSON; to a form that a browser sent by itself, a redirect to `page`."""
    if is_form(request) and "text/html" in request.headers.get("Accept", ""):
        raise web.HTTPSeeOther(page)
    return web.json_response(body, status=status)


async def enqueue(request: web.Request, task: Task, **kwargs: Any) -> str:
    """Enqueue one of the bundled tasks in its own queue; the job's id."""
    return (await home_of(request.app).journal.enqueue([NewJob(task.name, task.queue, (), kwargs)]))[0]
