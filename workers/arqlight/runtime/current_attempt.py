"""Which job the code that runs now belongs to, so that a line of the log or a step of progress finds its job."""

from contextvars import ContextVar
from typing import Any, Protocol

from arqlight.journal.journal import Claim


class RunsAttempts(Protocol):
    """A worker, as far as its attempts are told apart by it."""

    @property
    def id(self) -> str: ...


class CurrentAttempt(Protocol):
    """An attempt, as far as the log and the progress need it."""

    @property
    def worker(self) -> RunsAttempts: ...
    @property
    def claim(self) -> Claim: ...
    @property
    def task(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def args(self) -> tuple[Any, ...]: ...
    @property
    def kwargs(self) -> dict[str, Any]: ...

    def secrets(self) -> list[str]:
        """The values of the job's arguments that are never shown."""
        ...


# Set at the start of each attempt, in the asyncio task of its own; threads of `asyncio.to_thread` inherit it.
ATTEMPT: ContextVar[CurrentAttempt | None] = ContextVar("attempt", default=None)
