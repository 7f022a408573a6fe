"""What a page says where the connection's driver has no such part."""

import aiohttp_jinja2
from aiohttp import web

from arqlight.connections.parts import Part
from arqlight.errors import NotSupported
from arqlight_service.app_keys import connection_of


def missing(request: web.Request, part: Part) -> str | None:
    """A sentence that the connection a request names has no such part, and which have; None when it has.

    Raises NotFound for an unknown connection.
    """
    try:
        connection_of(request, part)
    except NotSupported as error:
        text = str(error)
        return f"{text[:1].upper()}{text[1:]}."
    return None


def without(request: web.Request, page: str, title: str, said: str) -> web.Response:
    """A page that is nothing without the part: its name, and what `missing` said."""
    return aiohttp_jinja2.render_template("missing_part.html", request, {"page": page, "title": title, "said": said})
