"""`/settings`: timeouts, tries, back-off, concurrency and retention; connections; who changed what."""

from dataclasses import asdict
from typing import Any

import aiohttp_jinja2
from aiohttp import web

from arqlight.connections.connection import Connection
from arqlight.errors import DatabaseUnreachable
from arqlight.jobs.queues import queue_name
from arqlight.journal.audit_entry import Kind
from arqlight_service.api.settings import FIELDS
from arqlight_service.app_keys import FAMILIES_DATABASE, connection_of
from arqlight_service.audit.trail import TRAIL
from arqlight_service.auth.roles import Role, needs
from arqlight_service.pages.missing_parts import missing

routes = web.RouteTableDef()
AUDIT_ROWS = 25
# What pushes what out of a table: nothing. Jobs and events that programs send are under /api/v1/audit.
AUDIT_TABLES: dict[str, tuple[Kind, ...]] = {
    "Changes": ("change",),
    "Secrets handed out": ("secret",),
    "Sign-ins": ("sign-in",),
    "Refused": ("refused",),
}


@routes.get("/settings")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("settings.html")
async def settings_page(request: web.Request) -> dict[str, Any]:
    """What is set, and what can be."""
    connection, database = connection_of(request), request.app.get(FAMILIES_DATABASE)
    return {
        "page": "settings",
        "kinds": await _kinds(connection) if connection.supports("overrides") else {},
        "no_overrides": missing(request, "overrides"),
        "fields": FIELDS,
        **await _audit(request),
        "no_audit": missing(request, "audit"),
        "families": database.address if database else "not installed",
    }


async def _audit(request: web.Request) -> dict[str, Any]:
    """The newest entries of each kind that a page shows, apart; what PostgreSQL has is left out while it is away."""
    trail, away = request.app[TRAIL], ""
    entries: dict[str, list[dict[str, Any]]] = {}
    for title, kinds in AUDIT_TABLES.items():
        try:
            found = await (trail.waiting if away else trail.newest)(kinds, limit=AUDIT_ROWS)
        except DatabaseUnreachable as error:
            away = str(error)
            found = await trail.waiting(kinds, limit=AUDIT_ROWS)
        entries[title] = [entry.to_json() for entry in found]
    return {"audit": entries, "audit_away": away}


async def _kinds(connection: Connection) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """Every queue and every task that was seen, with what is set for it."""
    overrides, reader = await connection.overrides.read(), connection.reader
    queues = [(queue_name(key), asdict(overrides.get("queue", key))) for key in await reader.known_queues()]
    tasks = [(task, asdict(overrides.get("task", task))) for task in sorted(await reader.known_tasks())]
    return {"queue": queues, "task": tasks}
