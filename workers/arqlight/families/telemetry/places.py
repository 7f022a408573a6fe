"""Cursors of telemetry's lists: the key of the last row of a page, behind which the next one begins."""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

from arqlight.errors import CursorInvalid
from arqlight.jobs.bounded_json import read_bounded
from arqlight.jobs.budget import TOLD, Budget


def write_place(key: Sequence[str]) -> str:
    """The cursor behind a row."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def read_place(cursor: str, kinds: Sequence[Callable[[str], Any]]) -> tuple[Any, ...]:
    """The key that was written, each part read by its kind. Raises CursorInvalid."""
    try:
        key = read_bounded(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), Budget(TOLD))
        if not (isinstance(key, list) and all(isinstance(part, str) and part.isprintable() for part in key)):
            raise ValueError("no key")
        return tuple(kind(part) for kind, part in zip(kinds, key, strict=True))
    except (ValueError, TypeError, OverflowError):  # OverBudget and errors of base64 are ValueErrors
        raise CursorInvalid(cursor) from None
