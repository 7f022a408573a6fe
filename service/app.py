"""The application factory: read it and you know the service."""

import weakref
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp_jinja2
import jinja2
from aiohttp import web
from redis.asyncio import Redis

from service import api, control_api, families, feed_routes, health, pages
from service.feed import Feed
from service.guard import guard, set_security_headers
from service.operations import Operations
from service.parts import DATABASE, FEED, JOURNAL, KEY_RING, OPERATIONS, READER, REDIS, RENDERER, SETTINGS
from service.problems import answer_problems
from service.upkeep import keep_up
from workers.database import Database
from workers.journal import Journal
from workers.key_ring import KeyRing
from workers.logbook import Logbook
from workers.reading import Reader
from workers.redaction import secrets_of
from workers.scripting import Scripts
from workers.settings import Settings
from workers.tasks.email.rendering import Renderer

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
    app.cleanup_ctx.extend([connect, keep_log, run_feed, run_operations, keep_up])
    app.on_shutdown.append(feed_routes.say_goodbye)
    app.on_response_prepare.append(set_security_headers)
    app.add_routes(health.routes)
    app.add_routes(api.routes)
    app.add_routes(control_api.routes)
    app.add_routes(families.ROUTES)
    app.add_routes(feed_routes.routes)
    app.add_routes(pages.ROUTES)
    app.router.add_static("/static", WEB / "static")
    return app


async def connect(app: web.Application) -> AsyncIterator[None]:
    """One connection pool for the service. The server may come later: requests say so meanwhile."""
    settings = app[SETTINGS]
    app[REDIS] = redis = Redis.from_url(settings.resolved_redis_url(), socket_connect_timeout=3)
    app[JOURNAL] = Journal(redis, settings)
    app[READER] = Reader(redis, settings)
    app[DATABASE] = Database(settings)
    app[KEY_RING] = KeyRing(settings)
    app[RENDERER] = Renderer()
    yield
    await app[RENDERER].close()
    await app[DATABASE].close()
    await redis.aclose()


async def keep_log(app: web.Application) -> AsyncIterator[None]:
    """What the service logs goes to the Logs page as well."""
    scripts = Scripts(app[REDIS], app[SETTINGS])
    with Logbook(scripts, "service", secrets_of(app[SETTINGS])).attached() as logbook:
        yield
        await logbook.close_book()


async def run_operations(app: web.Application) -> AsyncIterator[None]:
    """Work on many jobs at once, in the background."""
    app[OPERATIONS] = operations = Operations(app[REDIS], app[JOURNAL], app[READER])
    async with operations.running():
        yield


async def run_feed(app: web.Application) -> AsyncIterator[None]:
    """The one reader of the event stream, for all subscribers of this process."""
    app[FEED] = feed = Feed(app[REDIS], app[READER], app[SETTINGS])
    async with feed.running():
        yield
