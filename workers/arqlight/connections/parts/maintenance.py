"""What keeps a server in order, and what it says of its own state."""

from typing import Protocol

from arqlight.connections.finding import Finding
from arqlight.connections.server_memory import ServerMemory


class Maintenance(Protocol):
    """For the service's background work and for `arqlight doctor`."""

    async def keep_finding_queues(self) -> None:
        """Make queues known that plain arq clients put jobs into: those there now, then each as it grows.

        Runs until it is cancelled; a server that is away is waited for.
        """
        ...

    async def look_after_queues(self) -> None:
        """Keep the arguments of jobs that wait, and know which queues hold jobs; to be called every few seconds."""
        ...

    async def warnings(self) -> list[str]:
        """What will stop jobs or lose them (memory, disk, a replica); each a sentence, the worst first."""
        ...

    async def memory(self) -> ServerMemory:
        """What the server holds now."""
        ...

    async def findings(self) -> list[Finding]:
        """The warnings, and what is set in a way that costs durability or speed, or differs (the clock)."""
        ...
