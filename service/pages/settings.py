"""`/settings`: timeouts, tries, back-off, concurrency and retention; connections; who changed what."""

from typing import Any

import aiohttp_jinja2
from aiohttp import web

from service.control_api import FIELDS
from service.parts import DATABASE, READER, REDIS, SETTINGS
from workers.database import database_url, shown
from workers.keys import queue_name
from workers.overrides import read_audit, read_overrides
from workers.settings import Settings

routes = web.RouteTableDef()


@routes.get("/settings")
@aiohttp_jinja2.template("settings.html")
async def settings_page(request: web.Request) -> dict[str, Any]:
    """What is set, and what can be."""
    redis, reader = request.app[REDIS], request.app[READER]
    overrides = await read_overrides(redis)
    queues = [(queue_name(key), overrides.get("queue", key).model_dump()) for key in await reader.known_queues()]
    tasks = [(task, overrides.get("task", task).model_dump()) for task in sorted(await reader.known_tasks())]
    return {
        "page": "settings",
        "kinds": {"queue": queues, "task": tasks},
        "fields": FIELDS,
        "audit": await read_audit(redis, 50),
        "connections": connections(request.app[SETTINGS], request.app[DATABASE].is_set),
    }


def connections(settings: Settings, has_database: bool) -> list[dict[str, Any]]:
    """Each connection with its driver and its address, without a password."""
    scheme, _, rest = settings.resolved_redis_url().partition("://")
    address = settings.resolved_database_url()
    return [
        {"name": "redis", "title": "default", "driver": "redis", "address": f"{scheme}://{rest.rpartition('@')[2]}",
         "what": "jobs, queues, workers, the feed"},
        {"name": "database", "title": "database", "driver": "PostgreSQL",
         "address": shown(database_url(address)) if has_database and address else "not set",
         "what": "templates, endpoints, devices, licences, sales"},
    ]  # fmt: skip
