"""The application factory: read it and you know the service."""

import contextlib
import warnings
import weakref
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp_jinja2
import jinja2
from aiohttp import web

from service import api, control_api, families, feed_routes, health, metrics, pages
from service.access import sign_in
from service.access.access import ACCESS, Access
from service.access.roles import check_routes
from service.access.watch import keep_watch
from service.alerts import keep_alerts
from service.documents import asyncapi, openapi
from service.feed import Feed
from service.guard import guard, set_security_headers
from service.operations import Operations
from service.parts import CONNECTIONS, DATABASE, FEEDS, KEY_RING, OPERATIONS, REACHABILITY, RENDERER, SETTINGS
from service.problems import answer_problems
from service.reachability import Reachability
from service.upkeep import keep_up
from workers.connections.named import Connections, open_connections
from workers.database import Database
from workers.key_ring import KeyRing
from workers.logbook import Logbook
from workers.plain import mask_also
from workers.redaction import secrets_of
from workers.scripting import Scripts
from workers.settings import Settings, split_names
from workers.tasks.email.rendering import Renderer

# aiohttp_jinja2 keeps what its context processors say under a text; aiohttp would rather have a key there.
warnings.filterwarnings("ignore", category=web.NotAppKeyWarning, module="aiohttp_jinja2")

WEB = Path(__file__).parent.parent / "web"


def create_app(settings: Settings, connections: Connections | None = None) -> web.Application:
    """The whole service over the connections that are set, or over those given."""
    app = web.Application(middlewares=[answer_problems, guard], client_max_size=settings.max_body_bytes)
    mask_also(split_names(settings.mask))
    app[SETTINGS] = settings
    app[CONNECTIONS] = open_connections(settings) if connections is None else connections
    app[KEY_RING] = KeyRing(settings)
    journals = app[CONNECTIONS].of_journals
    app[ACCESS] = Access(settings, journals[0] if journals else None, app[KEY_RING])
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
        context_processors=[pages.about_connections, pages.about_identity],
    )
    app.cleanup_ctx.extend([connect, keep_log, keep_watch, run_operations, run_feeds, keep_up, keep_alerts])
    app.on_shutdown.append(feed_routes.say_goodbye)
    app.on_response_prepare.append(set_security_headers)
    app.add_routes(health.routes)
    app.add_routes(metrics.routes)
    app.add_routes(sign_in.routes)
    app.add_routes(api.routes)
    app.add_routes(control_api.routes)
    app.add_routes(families.ROUTES)
    app.add_routes(feed_routes.routes)
    app.add_routes(pages.ROUTES)
    app.add_routes(openapi.routes)
    app.add_routes(asyncapi.routes)
    app.router.add_static("/static", WEB / "static")
    app[openapi.DOCUMENT] = openapi.describe(app)
    check_routes(app)
    return app


async def connect(app: web.Application) -> AsyncIterator[None]:
    """What the service talks to. Servers may come later: requests say so meanwhile."""
    settings = app[SETTINGS]
    app[REACHABILITY] = reachability = Reachability(app[CONNECTIONS])
    app[DATABASE] = Database(settings)
    app[RENDERER] = Renderer()
    async with reachability.running():
        yield
    await app[RENDERER].close()
    await app[DATABASE].close()
    await app[CONNECTIONS].close()


async def keep_log(app: web.Application) -> AsyncIterator[None]:
    """What the service logs goes to the Logs page as well, where there is one."""
    if not app[CONNECTIONS].of_journals:
        yield
        return
    scripts = Scripts(app[CONNECTIONS].of_journals[0].redis, app[SETTINGS])
    with Logbook(scripts, "service", secrets_of(app[SETTINGS])).attached() as logbook:
        yield
        await logbook.close_book()


async def run_operations(app: web.Application) -> AsyncIterator[None]:
    """Work on many jobs at once, in the background."""
    app[OPERATIONS] = operations = Operations(app[CONNECTIONS])
    async with operations.running():
        yield


async def run_feeds(app: web.Application) -> AsyncIterator[None]:
    """One reader of each connection's stream, for all subscribers of this process."""
    app[FEEDS] = {
        connection.name: Feed(connection, app[OPERATIONS], app[REACHABILITY]) for connection in app[CONNECTIONS]
    }
    async with contextlib.AsyncExitStack() as feeds:
        for feed in app[FEEDS].values():
            await feeds.enter_async_context(feed.running())
        yield
