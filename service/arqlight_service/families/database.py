"""The database of the task families, for their routes, pages and for `arqlight doctor`."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from arqlight.connections.finding import Finding, note, trouble
from arqlight.errors import ArqlightError
from arqlight.families.database import Database
from arqlight.settings import Settings
from arqlight_service.app_keys import FAMILIES_DATABASE, SETTINGS

CHECK_S = 10.0
DATABASE = web.AppKey("database", Database)


async def connect_database(app: web.Application) -> AsyncIterator[None]:
    """Have it while the application runs; it connects at its first use."""
    app[DATABASE] = app[FAMILIES_DATABASE] = database = Database(app[SETTINGS])
    yield
    await database.close()


async def check_database(settings: Settings) -> list[Finding]:
    """Whether there is one, and answers."""
    database = Database(settings)
    if not database.is_set:
        return [note("no database", "no PostgreSQL is set: templates, endpoints, licences, telemetry and sync need one"
                     " (ARQLIGHT_DATABASE_URL)")]  # fmt: skip
    try:
        async with asyncio.timeout(CHECK_S), database.begin():
            return []
    except (ArqlightError, SQLAlchemyError, OSError) as error:
        return [trouble("database", str(error).splitlines()[0])]
    except TimeoutError:
        return [trouble("database", f"PostgreSQL does not answer within {CHECK_S:g} s (ARQLIGHT_DATABASE_URL)")]
    finally:
        await database.close()
