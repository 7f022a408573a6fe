"""What the application holds, by typed key, and which connection a request means."""

from typing import Protocol

from aiohttp import web

from arqlight.connections.connection import Connection
from arqlight.connections.named import Connections
from arqlight.connections.parts import Part
from arqlight.errors import NotFound
from arqlight.key_ring import KeyRing
from arqlight.settings import Settings
from arqlight_service.family import ServiceFamily
from arqlight_service.feed.feed import Feed
from arqlight_service.operations.operations import Operations
from arqlight_service.operations.reachability import Reachability


class FamiliesDatabase(Protocol):
    """The database of the task families, as far as the core knows of it. `address` carries no password."""

    @property
    def address(self) -> str: ...

    async def ping(self) -> str:
        """What answers, in words ("PostgreSQL 18.1"). Raises ArqlightError, one sentence without a password."""
        ...


FAMILIES_DATABASE = web.AppKey("families_database", FamiliesDatabase)
FAMILIES = web.AppKey("families", tuple[ServiceFamily, ...])
KEY_RING = web.AppKey("key_ring", KeyRing)
OPERATIONS = web.AppKey("operations", Operations)
SETTINGS = web.AppKey("settings", Settings)
CONNECTIONS = web.AppKey("connections", Connections)
FEEDS = web.AppKey("feeds", dict[str, Feed])
REACHABILITY = web.AppKey("reachability", Reachability)


def connection_of(request: web.Request, part: Part | None = None) -> Connection:
    """The connection that a request names (`?connection=`), else the first one.

    Raises NotFound, and NotSupported for one that has no such `part`.
    """
    return request.app[CONNECTIONS].find(request.query.get("connection"), part)


def home_of(app: web.Application) -> Connection:
    """Where the service keeps what is its own: its store and the audit list. Raises NotFound where it only observes."""
    home = app[CONNECTIONS].home
    if home is None:
        raise NotFound("this service only observes: it has no Redis or Valkey to store its own data in")
    return home
