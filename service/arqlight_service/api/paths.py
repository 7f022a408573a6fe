"""Names in addresses: any text, whatever a browser makes of it on its way here."""

import re
from collections.abc import Iterable
from urllib.parse import quote

from aiohttp import web

from arqlight.jobs.names import name_shown_as

# aiohttp's own pattern leaves out braces.
_PLAIN = re.compile(r"\{(\w+)\}")
_ANY_TEXT = r"{\1:[^/]+}"
# Browsers and proxies take a segment of dots out of an address, percent-encoded too.
_DOTS = re.compile(r"\.{1,2};*")


def taking_any_text(routes: Iterable[web.AbstractRouteDef]) -> list[web.AbstractRouteDef]:
    """The same routes, with names in their paths that take any text but a slash; `%2F` stands for that."""
    return [
        web.RouteDef(route.method, _PLAIN.sub(_ANY_TEXT, route.path), route.handler, route.kwargs)
        if isinstance(route, web.RouteDef)
        else route
        for route in routes
    ]


def segment(shown: str) -> str:
    """What stands in an address for a name as it is shown. `.` and `..` get a semicolon; `actions.js` does the same."""
    return quote(f"{shown};" if _DOTS.fullmatch(shown) else shown, safe="")


def path_name(request: web.Request, part: str) -> str:
    """The name that `segment` put into the address, or that a program wrote there itself."""
    text = request.match_info[part]
    return name_shown_as(text.removesuffix(";") if _DOTS.fullmatch(text) else text)
