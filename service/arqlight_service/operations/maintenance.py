"""What the service does beside answering: it finds queues it has not seen, and rescues when no worker is left to."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

from aiohttp import web

from arqlight.background import end, keep
from arqlight.connections.connection import Connection
from arqlight.connections.connection_errors import SERVER_ERRORS, reason_of
from arqlight.errors import ArqlightError
from arqlight.worker.heartbeat import BEAT_S
from arqlight_service.app_keys import CONNECTIONS
from arqlight_service.audit.trail import TRAIL, Trail

logger = logging.getLogger("arqlight.upkeep")
AUDIT_EVERY_S = 5.0


async def keep_up(app: web.Application) -> AsyncIterator[None]:
    """Own the tasks of this module while the application runs."""
    maintained = app[CONNECTIONS].with_part("maintenance")
    work: list[tuple[str, Callable[[], Awaitable[None]]]] = [
        *((f"search for queues of {each.name}", each.maintenance.keep_finding_queues) for each in maintained),
        *((f"rescue of {each.name}", partial(rescue, each)) for each in app[CONNECTIONS] if each.can_write),
        ("upkeep of the audit list", partial(keep_audit, app[TRAIL])),
    ]
    tasks = [keep(what, each) for what, each in work]
    yield
    await end(*tasks)


async def keep_audit(trail: Trail) -> None:
    """Keep the audit list where it belongs, and within its bounds."""
    while True:
        try:
            await trail.keep_up()
        except (*SERVER_ERRORS, ArqlightError) as error:
            logger.warning("the audit list could not be kept up: %s", reason_of(error))
        await asyncio.sleep(AUDIT_EVERY_S)


async def rescue(connection: Connection) -> None:
    """Return the jobs of dead workers, so that the page tells the truth also when the last worker died."""
    while True:
        await asyncio.sleep(BEAT_S)
        try:
            await connection.journal.rescue()
            if connection.supports("maintenance"):
                await connection.maintenance.look_after_queues()
        except (*SERVER_ERRORS, ArqlightError) as error:
            logger.warning("dead workers could not be checked: %s", reason_of(error))
