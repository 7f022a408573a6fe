"""Which job the code that runs now belongs to, so that a line of the log or a step of progress finds its job."""

from contextvars import ContextVar
from typing import Protocol


class RunningClaim(Protocol):
    """The claim of a running job."""

    @property
    def id(self) -> str: ...
    @property
    def queue(self) -> str: ...


class RunningAttempt(Protocol):
    """An attempt that runs (`arqlight.worker.attempt.Attempt`), as far as what a job tells needs to know it."""

    task: str
    number: int

    @property
    def claim(self) -> RunningClaim: ...

    @property
    def worker_id(self) -> str: ...

    def secrets(self) -> list[str]:
        """The values of its arguments that are never shown."""
        ...


# Set at the start of each attempt, in the asyncio task of its own; threads of `asyncio.to_thread` inherit it.
ATTEMPT: ContextVar[RunningAttempt | None] = ContextVar("attempt", default=None)
