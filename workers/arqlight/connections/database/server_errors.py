"""What PostgreSQL, or the way to it, raises: whether it is over when the server is back, and why, in one sentence."""

import socket

import asyncpg

from arqlight.errors import CutOff, Refused, Unusable

# What may be wrong with a server, its address or its data, as asyncpg and the system tell it.
REFUSED = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
# The database was made anew while we ran, or another was put in its place.
SCHEMA_GONE = (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError)
# What would be refused again however often it is sent: wrong data, a broken constraint, more than the server can hold.
_PERMANENT = ("22", "23", "54", "XX")
LONGEST_REASON = 200


def unusable(error: BaseException, name: str, address: str) -> Unusable:
    """One sentence that names the connection and the reason, as the kind of error that says what to do about it."""
    told = f"connection {name!r} ({address})"
    if _is_permanent(error):
        return Refused(f"{told} does not take this: {reason_of(error)}")
    if isinstance(error, asyncpg.ConnectionDoesNotExistError):
        return CutOff(f"{told} was cut off: {reason_of(error)}")
    return Unusable(f"{told} does not answer: {reason_of(error)}")


def reason_of(error: BaseException) -> str:
    """What was wrong, and what to do, as far as the error tells."""
    if isinstance(error, asyncpg.InvalidPasswordError | asyncpg.InvalidAuthorizationSpecificationError):
        return "user name or password are wrong"
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return "it has no database of that name"
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return f"its user may not do this: {error}"
    if isinstance(error, TimeoutError):
        return "no answer came in time"
    if "rejected SSL upgrade" in str(error):
        return "it speaks no TLS there; leave sslmode out, or set it up on the server"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there; is it running, and is the port right?"
    if isinstance(error, socket.gaierror):
        return "no host of that name is known"
    text = " ".join(str(error).split())[:LONGEST_REASON]
    return text or type(error).__name__


def _is_permanent(error: BaseException) -> bool:
    if isinstance(error, asyncpg.DataError | ValueError):
        return True
    return str(getattr(error, "sqlstate", None) or "").startswith(_PERMANENT)
