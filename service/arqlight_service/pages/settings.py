"""`/settings`: timeouts, tries, back-off, concurrency and retention; connections; who changed what."""

from dataclasses import asdict
from typing import Any

import aiohttp_jinja2
from aiohttp import web

from arqlight.jobs.queues import queue_name
from arqlight.journal.audit import read_audit
from arqlight.journal.overrides import read_overrides
from arqlight_service.api.control import FIELDS
from arqlight_service.app_keys import FAMILIES_DATABASE, connection_of, journal_of
from arqlight_service.auth.roles import Role, needs

routes = web.RouteTableDef()


@routes.get("/settings")
@needs(Role.VIEWER)
@aiohttp_jinja2.template("settings.html")
async def settings_page(request: web.Request) -> dict[str, Any]:
    """What is set, and what can be."""
    redis, reader = journal_of(request).redis, connection_of(request).reader
    overrides = await read_overrides(redis)
    database = request.app.get(FAMILIES_DATABASE)
    queues = [(queue_name(key), asdict(overrides.get("queue", key))) for key in await reader.known_queues()]
    tasks = [(task, asdict(overrides.get("task", task))) for task in sorted(await reader.known_tasks())]
    return {
        "page": "settings",
        "kinds": {"queue": queues, "task": tasks},
        "fields": FIELDS,
        "audit": await read_audit(redis, 50),
        "families": database.address if database else "not installed",
    }
