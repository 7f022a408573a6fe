"""Answers of the API, gzipped for those who accept that.

Pages are not: they carry a CSRF token, and what is compressed together with it can be guessed by its size (BREACH).
"""

import asyncio
import gzip

from aiohttp import web

from arqlight_service.api.accept import accepts
from arqlight_service.api.problems import Handler

SMALLEST_BYTES = 1024
LEVEL = 6
KINDS = ("application/json", "application/problem+json", "application/openmetrics-text", "text/plain")


@web.middleware
async def compress(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Compress an answer that is worth it, beside the event loop."""
    response = await handler(request)
    if not isinstance(response, web.Response) or response.prepared or response.content_type not in KINDS:
        return response
    body = response.body
    if not isinstance(body, bytes) or len(body) < SMALLEST_BYTES or "Content-Encoding" in response.headers:
        return response
    response.headers.add("Vary", "Accept-Encoding")
    if accepts(request, "Accept-Encoding", "gzip"):
        response.body = await asyncio.to_thread(gzip.compress, body, LEVEL)
        response.headers["Content-Encoding"] = "gzip"
    return response
