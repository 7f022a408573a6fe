"""All connections of an installation, by name and in order; the first one is meant where none is named."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from arqlight.addresses import OBSERVED, is_database
from arqlight.connections.connection import Connection
from arqlight.connections.observed import ObservedConnection
from arqlight.connections.parts import Part
from arqlight.connections.redis import RedisConnection
from arqlight.errors import NotFound, NotSupported
from arqlight.extras import needed_for
from arqlight.settings import Settings

if TYPE_CHECKING:
    from arqlight.connections.database import DatabaseConnection


class Connections:
    """The connections; nothing connects before it is used."""

    def __init__(self, connections: Sequence[Connection]) -> None:
        self._by_name = {connection.name: connection for connection in connections}

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    @property
    def first(self) -> Connection:
        """The one that is meant where none is named."""
        return next(iter(self))

    @property
    def names(self) -> list[str]:
        """In order."""
        return list(self._by_name)

    @property
    def home(self) -> Connection | None:
        """Where the service keeps what is its own: the first with a store and an audit list; None without one."""
        return next((connection for connection in self.with_part("store") if connection.supports("audit")), None)

    def with_part(self, part: Part) -> list[Connection]:
        """Those whose driver has a part, in order."""
        return [connection for connection in self if connection.supports(part)]

    def find(self, name: str | None, part: Part | None = None) -> Connection:
        """One by its name; with `part`, one that has it. Raises NotFound, NotSupported."""
        if name and name not in self._by_name:
            raise NotFound(f"no connection {name[:50]!r}; there {_are(self.names)}")
        found = self._by_name[name] if name else self.first
        if part is not None and not found.supports(part):
            others = [each.name for each in self.with_part(part)]
            raise NotSupported(found.name, found.shown_driver, part, others)
        return found

    async def close(self) -> None:
        """Close all."""
        await asyncio.gather(*(connection.close() for connection in self))


def open_connections(settings: Settings) -> Connections:
    """Every connection that is set."""
    return Connections(
        [open_connection(name, address, settings) for name, address in settings.connection_addresses().items()]
    )


def open_connection(name: str, address: str, settings: Settings) -> Connection:
    """The connection to an address, by its scheme."""
    if address.startswith(OBSERVED):
        return ObservedConnection(name, address.removeprefix(OBSERVED))
    if is_database(address):
        return _open_database(name, address, settings)
    return RedisConnection(name, address, settings)


def open_databases(settings: Settings) -> list["DatabaseConnection"]:
    """Those of the connections that are PostgreSQL."""
    addresses = [(name, at) for name, at in settings.connection_addresses().items() if is_database(at)]
    return [_open_database(name, address, settings) for name, address in addresses]


def _open_database(name: str, address: str, settings: Settings) -> "DatabaseConnection":
    with needed_for(f"connection {name!r}, a PostgreSQL,"):
        from arqlight.connections.database import DatabaseConnection

    return DatabaseConnection(name, address, settings)


def _are(names: list[str]) -> str:
    return ("is " if len(names) == 1 else "are ") + ", ".join(names)
