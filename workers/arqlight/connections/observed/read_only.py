"""What an observed connection has in the place of a journal and of a stream: nothing is written, nothing is told."""

import asyncio
from collections.abc import Sequence
from typing import NoReturn

from arqlight.connections.connection import Transition
from arqlight.errors import ReadOnly
from arqlight.jobs.cursors import START
from arqlight.journal.journal import NewJob


class ReadOnlyJournal:
    """Refuses every change. Each raises ReadOnly."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def enqueue(self, jobs: Sequence[NewJob]) -> list[str]:
        """Refused."""
        self._refuse()

    async def retry(self, job_id: str, until_ms: int | None = None) -> None:
        """Refused."""
        self._refuse()

    async def delete(self, job_id: str, until_ms: int | None = None) -> None:
        """Refused."""
        self._refuse()

    async def cancel(self, job_id: str, queue: str, task: str, created_ms: int | None = None) -> bool:
        """Refused."""
        self._refuse()

    async def pause(self, queue: str, paused: bool) -> bool:
        """Refused."""
        self._refuse()

    async def empty(self, queue: str, most: int) -> int:
        """Refused."""
        self._refuse()

    async def rescue(self) -> int:
        """Refused."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise ReadOnly(self._name)


class NoStream:
    """arq tells of no transition: what changed is found by looking."""

    tells = False

    async def last_cursor(self) -> str:
        """Always the same place."""
        return START

    async def can_resume(self, cursor: str) -> bool:
        """Never: a consumer that comes back gets a snapshot."""
        return False

    async def after(self, cursor: str, count: int, *, told: bool = True) -> list[Transition]:
        """None."""
        return []

    async def wait(self, cursor: str, longest_ms: int) -> None:
        """Return when it is time to look again."""
        await asyncio.sleep(longest_ms / 1000)

    async def say_watched(self, seconds: int) -> None:
        """Nobody to tell."""
