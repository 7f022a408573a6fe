"""PostgreSQL's protocol, as far as the proxy has to know it."""

import asyncio
import struct
from collections.abc import Mapping

from arqlight.connections.database.pool import query

READY, TERMINATED = b"Z", b"X"


class Statements:
    """What a client sends next, by the name of a query's file, or the first words of another statement."""

    def __init__(self, verbs: Mapping[str, str]) -> None:
        self._verbs = verbs
        self._prepared: dict[bytes, str] = {}

    def name(self, kind: bytes, body: bytes) -> str | None:
        """The name of what this message carries out; None for one that carries out nothing."""
        if kind == b"P":
            name, text, *_ = body.split(b"\0")
            self._prepared[name] = self._name_of(text.decode())
        elif kind == b"B":
            return self._prepared.get(body.split(b"\0")[1], "unknown")
        elif kind == b"Q":
            return self._name_of(body.rstrip(b"\0").decode())
        return None

    def _name_of(self, text: str) -> str:
        return self._verbs.get(text.strip()) or " ".join(text.split()[:2])


def verbs(names: list[str]) -> dict[str, str]:
    """The names of queries, by their texts."""
    return {query(name).strip(): name for name in names}


async def read_startup(reader: asyncio.StreamReader) -> bytes:
    """The first message of a client, which has no type."""
    head = await reader.readexactly(4)
    return head + await reader.readexactly(struct.unpack("!I", head)[0] - 4)


async def read_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes, bytes]:
    """All of a message, its type, and its body."""
    head = await reader.readexactly(5)
    body = await reader.readexactly(struct.unpack("!I", head[1:])[0] - 4)
    return head + body, head[:1], body


def refusal(sqlstate: str, severity: str, status: bytes) -> bytes:
    """An error as the server tells it, and that it is ready again; a fatal one is followed by nothing."""
    fields = b"".join(
        code + text.encode() + b"\0"
        for code, text in ((b"S", severity), (b"V", severity), (b"C", sqlstate), (b"M", f"fault {sqlstate}"))
    )
    error = b"E" + struct.pack("!I", len(fields) + 5) + fields + b"\0"
    return error if severity == "FATAL" else error + READY + struct.pack("!I", 5) + status
