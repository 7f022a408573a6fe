"""Addresses in a request's headers: anybody writes them, and not all of them are addresses."""

from urllib.parse import SplitResult, urlsplit

from aiohttp import web


def address_in(request: web.Request, header: str) -> SplitResult:
    """The address that a header holds; an empty one where it holds nothing readable."""
    try:
        return urlsplit(request.headers.get(header, ""))
    except ValueError:
        return urlsplit("")
