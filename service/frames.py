"""Frames of the feed: what they say is encoded once for all, each consumer's own cursor is put at the end."""

import json
from typing import Any


def open_frame(kind: str, topic: str, data: Any) -> str:
    """A snapshot or a change, encoded up to its cursor."""
    return json.dumps({"type": kind, "topic": topic, "data": data})[:-1]


def with_cursor(opened: str, cursor: str | None) -> str:
    """The whole frame."""
    return f'{opened}, "cursor": {json.dumps(cursor)}}}'
