"""The process that renders mails, for the preview of templates."""

from collections.abc import AsyncIterator

from aiohttp import web

from arqlight.families.email.rendering import Renderer

RENDERER = web.AppKey("renderer", Renderer)


async def run_renderer(app: web.Application) -> AsyncIterator[None]:
    """Have it while the application runs; its process starts at its first use."""
    app[RENDERER] = renderer = Renderer()
    yield
    await renderer.close()
