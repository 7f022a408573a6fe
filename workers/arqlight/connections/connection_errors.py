"""The errors of a server that is away or refuses, and why, in one clear sentence without a password."""

import builtins
import ssl
from typing import Any

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ConnectionError,
    NoPermissionError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,
)

from arqlight.errors import Unusable

# What any call to a connection may raise when its server is away or refuses.
SERVER_ERRORS = (RedisError, OSError, Unusable)
# Those of Redis and Valkey that are over when the server is back: what was sent may be sent again.
SERVER_AWAY = (ConnectionError, TimeoutError, BusyLoadingError, ReadOnlyError)
OLDEST_REDIS = (6, 2)  # the first with every command that the journal's scripts use
LONGEST = 200
NO_TLS = "it seems to speak no TLS there; write redis:// instead of rediss://"


def check_version(about: dict[str, Any]) -> str:
    """A server's name and version, from its INFO. Raises ValueError for one that is too old."""
    kind = "Valkey" if "valkey_version" in about else "Redis"
    version = str(about.get("valkey_version") or about.get("redis_version", "0"))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST_REDIS:
        raise ValueError(f"it is {kind} {version}, and this needs Redis 6.2 or any Valkey; update it")
    return f"{kind} {version}"


def reason_of(error: BaseException, *, tls: bool = False) -> str:
    """What was wrong, and what to do, as far as the error tells; `tls` says that TLS was asked for."""
    text = " ".join(str(error).split())
    if "NOAUTH" in text or "Authentication required" in text:
        return "it asks for a password, and none is set"
    if isinstance(error, AuthenticationError) or "WRONGPASS" in text or "invalid username-password" in text:
        return "user name or password are wrong"
    if isinstance(error, NoPermissionError):
        return f"its user may not do this: {text[:LONGEST]}"
    if "DB index is out of range" in text or "invalid DB index" in text:
        return "it has no database of that number"
    if "WRONG_VERSION_NUMBER" in text or "wrong version number" in text.lower() or "record layer failure" in text:
        return NO_TLS
    if isinstance(error, ssl.SSLError) or "CERTIFICATE_VERIFY_FAILED" in text or "SSL" in text:
        return f"TLS did not come about: {text[:LONGEST]}"
    if isinstance(error, BusyLoadingError):
        return "it is still loading its data"
    if isinstance(error, ReadOnlyError):
        return "it is a replica that takes no writes; name the primary"
    if "Connect call failed" in text or "Connection refused" in text:
        return "nothing listens there; is it running, and is the port right?"
    if "Name or service not known" in text or "nodename nor servname" in text or "Temporary failure in name" in text:
        return "no host of that name is known"
    if isinstance(error, TimeoutError | builtins.TimeoutError):
        return "no answer came in time" + (f"; {NO_TLS}" if tls else "")
    if "Connection closed by server" in text or "Protocol Error" in text or "Protocol error" in text:
        return "what answers there is not Redis or Valkey, or it speaks TLS only (then write rediss://)"
    if isinstance(error, ResponseError):
        return f"it refused: {text[:LONGEST]}"
    return text[:LONGEST] or type(error).__name__
