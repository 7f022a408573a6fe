"""How an error ends a command: the line it prints, and the exit code."""

from dataclasses import dataclass

from redis.exceptions import RedisError

from arqlight.connections.connection_errors import reason_of
from arqlight.errors import ArqlightError, ServerUnreachable, Unusable, WorkerCancelled
from arqlight.extras import MissingExtra, extra_of
from arqlight.imports import Exited

FAILED, USAGE = 1, 2  # what is out of reach; bad input, settings and missing packages


@dataclass(frozen=True, slots=True)
class Exit:
    """One line for standard error, and the code."""

    text: str
    code: int


def exit_of(error: Exception) -> Exit | None:
    """The end of a command that raised `error`; None for an error that nobody expected."""
    if isinstance(error, ServerUnreachable | Unusable | WorkerCancelled):
        return Exit(str(error), FAILED)
    if isinstance(error, Exited):
        return Exit(str(error), error.code)
    if isinstance(error, ArqlightError):
        return Exit(str(error), USAGE)
    if isinstance(error, RedisError):
        return Exit(f"the Redis or Valkey server refused: {reason_of(error)}", FAILED)
    if isinstance(error, ImportError) and (extra := extra_of(error)):
        return Exit(str(MissingExtra("this command", extra)), USAGE)
    return None
