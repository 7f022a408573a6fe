"""The database of the task families, for their routes and pages."""

from collections.abc import AsyncIterator

from aiohttp import web

from arqlight.families.database import Database
from arqlight_service.app_keys import FAMILIES_DATABASE, SETTINGS

DATABASE = web.AppKey("database", Database)


async def connect_database(app: web.Application) -> AsyncIterator[None]:
    """Have it while the application runs; it connects at its first use."""
    app[DATABASE] = app[FAMILIES_DATABASE] = database = Database(app[SETTINGS])
    yield
    await database.close()
