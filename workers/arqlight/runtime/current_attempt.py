"""Which job the code that runs now belongs to, so that a line of the log or a step of progress finds its job."""

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arqlight.worker.attempt import Attempt

# Set at the start of each attempt, in the asyncio task of its own; threads of `asyncio.to_thread` inherit it.
ATTEMPT: ContextVar["Attempt | None"] = ContextVar("attempt", default=None)
