"""Which addresses are read at all: the one place that looks at the host, the path and every parameter of a request."""

from aiohttp import web

from arqlight.jobs.names import shown_name
from arqlight_service.api.problems import Handler, Problem
from arqlight_service.auth.access import ACCESS


@web.middleware
async def check_address(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Raises Problem: 400 for a host that is none, 404 and 400 for a NUL in the path or a parameter.

    PostgreSQL and file systems refuse a NUL, each in its own way, so no name and no text that is looked for holds one.
    A job's id that does is shown with `\\x00` in its place (`names.shown_name`), and asked for so.
    """
    seen = request.app[ACCESS].proxies.seen_through(request)
    try:
        seen.url.origin()
    except ValueError as error:
        raise Problem(400, f"the host {shown_name(seen.host)[:100]!r} cannot be read: {error}") from None
    if "\0" in request.path:
        raise Problem(404, f"nothing is at {shown_name(request.path)[:300]}: no address holds a NUL (%00)")
    for name, value in request.query.items():
        if "\0" in name or "\0" in value:
            shown = shown_name(name)[:100]
            raise Problem(400, f"parameter {shown!r} holds a NUL (%00); leave it out", field=shown)
    return await handler(request)
