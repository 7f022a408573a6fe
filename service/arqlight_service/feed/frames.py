"""Frames of the feed: what they say is encoded once for all, each consumer's own cursor is put at the end."""

import json
import struct
from collections.abc import Iterable
from typing import Any

from arqlight.jobs.secret_texts import hide_known

_FINAL_TEXT = 0x81  # RFC 6455, 5.2: the last fragment of a text message; a server does not mask


def open_frame(kind: str, topic: str, data: Any) -> str:
    """A snapshot or a change, encoded up to its cursor."""
    return hide_known(json.dumps({"type": kind, "topic": topic, "data": data}))[:-1]


def with_cursor(opened: str, cursor: str | None) -> str:
    """The whole frame."""
    return f'{opened}, "cursor": {json.dumps(cursor)}}}'


def on_the_wire(texts: Iterable[str]) -> bytes:
    """Text messages as a server's WebSocket puts them on the wire, one behind the other."""
    parts: list[bytes] = []
    for text in texts:
        payload = text.encode()
        size = len(payload)
        if size < 126:
            header = struct.pack("!BB", _FINAL_TEXT, size)
        elif size < 65536:
            header = struct.pack("!BBH", _FINAL_TEXT, 126, size)
        else:
            header = struct.pack("!BBQ", _FINAL_TEXT, 127, size)
        parts += (header, payload)
    return b"".join(parts)
