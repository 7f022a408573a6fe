"""All connections of an installation, by name and in order; the first one is meant where none is named."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from arqlight.addresses import OBSERVED, is_database
from arqlight.connections.connection import Connection
from arqlight.connections.observed import ObservedConnection
from arqlight.connections.redis import RedisConnection
from arqlight.errors import NotFound
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
    def of_journals(self) -> list[RedisConnection]:
        """Those that our own journal keeps."""
        return [connection for connection in self if isinstance(connection, RedisConnection)]

    def find(self, name: str | None) -> Connection:
        """One by its name. Raises NotFound."""
        if not name:
            return self.first
        if name not in self._by_name:
            raise NotFound(f"no connection {name[:50]!r}; there {_are(self.names)}")
        return self._by_name[name]

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
        from arqlight.connections.database import DatabaseConnection

        return DatabaseConnection(name, address, settings)
    return RedisConnection(name, address, settings)


def open_databases(settings: Settings) -> list["DatabaseConnection"]:
    """Those of the connections that are PostgreSQL."""
    addresses = [(name, at) for name, at in settings.connection_addresses().items() if is_database(at)]
    if not addresses:
        return []
    from arqlight.connections.database import DatabaseConnection

    return [DatabaseConnection(name, address, settings) for name, address in addresses]


def _are(names: list[str]) -> str:
    return ("is " if len(names) == 1 else "are ") + ", ".join(names)
