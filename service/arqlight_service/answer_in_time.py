"""A request is answered in time while a server hangs, too: several reads in a row would each wait their own time."""

import asyncio

from aiohttp import web

from arqlight_service.api.problems import Handler, Problem
from arqlight_service.app_keys import REACHABILITY

# Longer than one read waits (redis_client.py), whose error says more, and than finding out that a server hangs takes.
ANSWER_S = 11.0
LOOK_AGAIN_S = 1.0
BEGUN = web.RequestKey("begun", asyncio.Event)


@web.middleware
async def answer_in_time(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give a request up that has waited for `ANSWER_S` while a connection does not answer. Raises Problem 503.

    One that is slow for another reason goes on, and so does an answer that has begun: a feed, a download.
    """
    loop = asyncio.get_running_loop()
    request[BEGUN] = begun = asyncio.Event()
    again = loop.call_later(ANSWER_S, lambda: look())

    def look() -> None:
        nonlocal again
        if _why(request) and not begun.is_set():
            limit.reschedule(loop.time())
        else:
            again = loop.call_later(LOOK_AGAIN_S, look)

    try:
        async with asyncio.timeout(None) as limit:
            return await handler(request)
    except TimeoutError:
        if not limit.expired():
            raise
        unsure = "" if request.method in ("GET", "HEAD") else "; whether it was done is not known"
        raise Problem(503, f"{_why(request) or 'a server did not answer in time'}{unsure}") from None
    finally:
        again.cancel()


async def note_begun(request: web.Request, response: web.StreamResponse) -> None:
    """An answer's headers leave: nothing else can be answered from here on. A signal handler."""
    if begun := request.get(BEGUN):
        begun.set()


def _why(request: web.Request) -> str | None:
    """What is said of the connection that is asked for, or of one of them all."""
    reachability = request.app[REACHABILITY]
    named = request.query.get("connection")
    names = [named] if named else [each["name"] for each in reachability.to_json()]
    return next((problem for name in names if (problem := reachability.problem(name))), None)
