"""The application factory: read it and you know the service."""

import weakref
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp_jinja2
import jinja2
from aiohttp import web
from redis.asyncio import Redis

from service import api, feed_routes, health, pages
from service.feed import Feed
from service.guard import guard, set_security_headers
from service.parts import FEED, JOURNAL, READER, REDIS, SETTINGS
from service.problems import answer_problems
from service.upkeep import keep_up
from workers.journal import Journal
from workers.reading import Reader
from workers.settings import Settings

WEB = Path(__file__).parent.parent / "web"


def create_app(settings: Settings) -> web.Application:
    """The whole service over one Redis or Valkey server."""
    app = web.Application(middlewares=[answer_problems, guard], client_max_size=settings.max_body_bytes)
    app[SETTINGS] = settings
    app[feed_routes.SOCKETS] = weakref.WeakSet()
    app[feed_routes.STREAMS] = set()
    aiohttp_jinja2.setup(
        app,
        loader=jinja2.FileSystemLoader(WEB / "templates"),
        autoescape=jinja2.select_autoescape(default=True),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        filters=pages.FILTERS,
    )
    app.cleanup_ctx.extend([connect, run_feed, keep_up])
    app.on_shutdown.append(feed_routes.say_goodbye)
    app.on_response_prepare.append(set_security_headers)
    app.add_routes(health.routes)
    app.add_routes(api.routes)
    app.add_routes(feed_routes.routes)
    app.add_routes(pages.routes)
    app.router.add_static("/static", WEB / "static")
    return app


async def connect(app: web.Application) -> AsyncIterator[None]:
    """One connection pool for the service. The server may come later: requests say so meanwhile."""
    settings = app[SETTINGS]
    app[REDIS] = redis = Redis.from_url(settings.resolved_redis_url(), socket_connect_timeout=3)
    app[JOURNAL] = Journal(redis, settings)
    app[READER] = Reader(redis, settings)
    yield
    await redis.aclose()


async def run_feed(app: web.Application) -> AsyncIterator[None]:
    """The one reader of the event stream, for all subscribers of this process."""
    app[FEED] = feed = Feed(app[REDIS], app[READER], app[SETTINGS])
    async with feed.running():
        yield
