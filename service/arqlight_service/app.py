"""The application factory: read it and you know the service."""

import contextlib
import warnings
import weakref
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp_jinja2
import jinja2
from aiohttp import web

from arqlight.connections.named import Connections, open_connections
from arqlight.family import check_families, check_settings
from arqlight.jobs.masking import hide_what_is_set
from arqlight.key_ring import KeyRing
from arqlight.runtime.job_log import Logbook
from arqlight.settings import Settings
from arqlight_service import api, pages
from arqlight_service.answer_in_time import answer_in_time, note_begun
from arqlight_service.api.compression import compress
from arqlight_service.api.cross_origin import answer_options, name_origin
from arqlight_service.api.paths import taking_any_text
from arqlight_service.api.problems import answer_problems
from arqlight_service.app_keys import (
    CONNECTIONS,
    FAMILIES,
    FEEDS,
    KEY_RING,
    OPERATIONS,
    REACHABILITY,
    SETTINGS,
)
from arqlight_service.audit.noting import note_requests
from arqlight_service.audit.trail import TRAIL, Trail
from arqlight_service.auth import sign_in
from arqlight_service.auth.access import ACCESS, Access
from arqlight_service.auth.middleware import guard, set_security_headers
from arqlight_service.auth.open_feeds import keep_watch
from arqlight_service.auth.roles import check_routes
from arqlight_service.documents import asyncapi, openapi
from arqlight_service.family import service_families
from arqlight_service.family_in_application import add_family
from arqlight_service.feed import routes as feed_routes
from arqlight_service.feed.feed import Feed
from arqlight_service.loop_share import LOOP_SHARE, LoopShare, share_the_loop
from arqlight_service.operations import health, metrics
from arqlight_service.operations.alerts import check_alerts, keep_alerts
from arqlight_service.operations.maintenance import keep_up
from arqlight_service.operations.operations import Operations
from arqlight_service.operations.reachability import Reachability
from arqlight_service.readable_addresses import check_address

# aiohttp_jinja2 keeps what its context processors say under a text; aiohttp would rather have a key there.
warnings.filterwarnings("ignore", category=web.NotAppKeyWarning, module="aiohttp_jinja2")

_HERE = Path(__file__).parent
# In the wheel the folder lies in this package; in a checkout beside it.
WEB = _HERE / "web" if (_HERE / "web").is_dir() else _HERE.parents[1] / "web"


def create_app(settings: Settings, connections: Connections | None = None) -> web.Application:
    """The whole service over the connections that are set, or over those given."""
    app = web.Application(
        middlewares=[
            compress,
            note_requests,
            answer_problems,
            check_address,
            share_the_loop,
            answer_in_time,
            answer_options,
            guard,
        ],
        client_max_size=settings.max_body_bytes,
    )
    hide_what_is_set(settings)
    check_settings(settings)
    check_alerts(settings)
    app[SETTINGS] = settings
    check_families(settings)
    app[FAMILIES] = families = service_families()
    app[CONNECTIONS] = open_connections(settings) if connections is None else connections
    app[KEY_RING] = KeyRing(settings)
    home = app[CONNECTIONS].home
    app[TRAIL] = Trail(settings, home)
    app[ACCESS] = Access(settings, home.store if home else None, app[KEY_RING])
    app[LOOP_SHARE] = LoopShare(settings.share_per_address)
    app[feed_routes.SOCKETS] = weakref.WeakSet()
    app[feed_routes.STREAMS] = set()
    environment = aiohttp_jinja2.setup(
        app,
        loader=jinja2.FileSystemLoader(
            [WEB / "templates", *(family.templates for family in families if family.templates is not None)]
        ),
        autoescape=jinja2.select_autoescape(default=True),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        filters=pages.FILTERS,
        finalize=pages.shown_on_a_page,
        context_processors=[pages.about_connections, pages.about_identity],
    )
    environment.globals["navigation"] = pages.navigation(families)
    app.cleanup_ctx.extend([connect, keep_log, keep_watch, run_operations, run_feeds, keep_up, keep_alerts])
    app.on_shutdown.append(feed_routes.close_feeds)
    app.on_response_prepare.append(set_security_headers)
    app.on_response_prepare.append(name_origin)
    app.on_response_prepare.append(note_begun)
    for part in (health, metrics, sign_in, feed_routes, openapi, asyncapi):
        app.add_routes(taking_any_text(part.routes))
    app.add_routes(taking_any_text([*api.ROUTES, *pages.ROUTES]))
    for family in families:
        add_family(app, family)
    app.router.add_static("/static", WEB / "static")
    app[openapi.DOCUMENT] = openapi.describe(app)
    check_routes(app)
    return app


async def connect(app: web.Application) -> AsyncIterator[None]:
    """What the service talks to. Servers may come later: requests say so meanwhile."""
    app[REACHABILITY] = reachability = Reachability(app[CONNECTIONS])
    async with reachability.running():
        yield
    await app[TRAIL].close()
    await app[CONNECTIONS].close()


async def keep_log(app: web.Application) -> AsyncIterator[None]:
    """What the service logs goes to the Logs page as well, where there is one."""
    keeping = app[CONNECTIONS].with_part("log")
    if not keeping:
        yield
        return
    with Logbook(keeping[0].log, "service").attached() as logbook:
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
