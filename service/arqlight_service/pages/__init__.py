"""The pages: server-rendered first, so they read without JavaScript; `live.js` keeps them true."""

from collections.abc import Iterable
from typing import Any

from aiohttp import web
from markupsafe import Markup

from arqlight.jobs.secret_texts import hide_known
from arqlight_service.api.requests import CSRF_FIELD
from arqlight_service.app_keys import REACHABILITY
from arqlight_service.auth.identity import identity_of
from arqlight_service.family import NavigationEntry, ServiceFamily
from arqlight_service.pages import (
    charts,
    dashboard,
    failed,
    jobs,
    logs,
    queues,
    schedules,
    settings,
    workers,
)
from arqlight_service.pages.filters import FILTERS as FILTERS


async def about_connections(request: web.Request) -> dict[str, Any]:
    """What every page shows of the connections: all of them, and the one that was asked for ("" for none)."""
    return {
        "connections": request.app[REACHABILITY].to_json(),
        "connection": request.query.get("connection", ""),
        "here": request.path,
    }


def shown_on_a_page(value: Any) -> Any:
    """The gate of all pages: what a template writes goes through it. Markup is a template's own."""
    return hide_known(value) if type(value) is str else value


async def about_identity(request: web.Request) -> dict[str, Any]:
    """What every page shows of who asks, and what its forms send along."""
    identity = identity_of(request)
    csrf = identity.csrf if identity else ""
    return {
        "role": identity.role.shown if identity else "",
        "who": identity.name if identity and identity.by != "local" else "",
        "can_sign_out": identity is not None and identity.by == "session",
        "csrf": csrf,
        "csrf_field": Markup('<input type="hidden" name="{}" value="{}">').format(CSRF_FIELD, csrf) if csrf else "",
    }


# The families' pages stand before the last one.
_NAVIGATION = (
    NavigationEntry("/", "Overview", "dashboard"),
    NavigationEntry("/jobs", "Jobs", "jobs"),
    NavigationEntry("/failed", "Failed", "failed"),
    NavigationEntry("/queues", "Queues", "queues"),
    NavigationEntry("/workers", "Workers", "workers"),
    NavigationEntry("/schedules", "Schedules", "schedules"),
    NavigationEntry("/charts", "Charts", "charts"),
    NavigationEntry("/logs", "Logs", "logs"),
)
_SETTINGS = NavigationEntry("/settings", "Settings", "settings")


def navigation(families: Iterable[ServiceFamily]) -> list[NavigationEntry]:
    """The entries of the navigation."""
    return [*_NAVIGATION, *(entry for family in families for entry in family.navigation), _SETTINGS]


_PAGES = (dashboard, jobs, failed, queues, workers, schedules, logs, charts, settings)
ROUTES = [route for page in _PAGES for route in page.routes]
