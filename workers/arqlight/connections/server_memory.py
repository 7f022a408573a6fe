"""How much memory a server holds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerMemory:
    """`limit_bytes` is 0 where none is set."""

    used_bytes: int
    limit_bytes: int
