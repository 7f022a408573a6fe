"""Any Python value as JSON, bounded in size and depth, with secrets masked by name; and times."""

import datetime
import decimal
import math
import uuid
from collections.abc import Sequence
from typing import Any

from arqlight.jobs.opaque import Opaque
from arqlight.jobs.secret_places import parts_of
from arqlight.jobs.secret_texts import MASK, hide, hide_within

LONGEST_TEXT = 10_000
CUT = "…"
MOST_NODES = 5_000
MOST_CHARACTERS = 256 * 1024  # of all texts together: a few bytes can hold one text thousands of times
DEEPEST = 20
LAST_MS = 253_402_300_799_000  # the end of the year 9999, behind which Python has no dates


def to_moment(score: str | bytes | float) -> int:
    """A place in a queue as milliseconds since the epoch; one beyond all time is the first or the last there is."""
    number = float(score)
    return int(min(max(number, 0.0), LAST_MS)) if number == number else 0


def iso(ms: float) -> str:
    """Milliseconds since the epoch as ISO 8601 in UTC with milliseconds."""
    moment = datetime.datetime.fromtimestamp(to_moment(ms) / 1000, tz=datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def as_json(value: Any, secrets: Sequence[str] | None = ()) -> Any:
    """`value` as something `json.dumps` takes: plain values as they are, others as text; too much is cut with "…".

    :param secrets: texts that are masked wherever they stand, beside what looks like a secret; None: nothing is masked.
    """
    budget, characters = MOST_NODES, MOST_CHARACTERS

    def convert(item: Any, depth: int) -> Any:
        nonlocal budget, characters
        budget -= 1
        if isinstance(item, str):
            characters -= min(len(item), LONGEST_TEXT)
        if budget < 0 or characters < 0 or depth > DEEPEST:
            return CUT
        if item is None or isinstance(item, bool):
            return item
        if isinstance(item, int):
            # JavaScript reads larger ones wrong; Python refuses to print the largest.
            number = item if abs(item) < 2**53 else (str(item) if item.bit_length() < 4096 else "<a huge int>")
            return hide_within(number, secrets) if secrets else number
        if isinstance(item, float):
            finite = item if math.isfinite(item) else str(item)
            return hide_within(finite, secrets) if secrets else finite
        if isinstance(item, str):
            text = item[:LONGEST_TEXT].encode("utf-8", "replace").decode()
            text = text if secrets is None else hide(text, secrets)
            return text if len(item) <= LONGEST_TEXT else text + CUT
        if isinstance(item, dict | list | tuple | set | frozenset):
            is_dict = isinstance(item, dict)
            shown = [
                (
                    str(convert(key, depth + 1)) if is_dict else "",
                    MASK if masked and secrets is not None else convert(inner, depth + 1),
                )
                for key, inner, masked in _first(parts_of(item, is_argument_list=depth == 0), budget)
            ]
            return dict(shown) if is_dict else [inner for _, inner in shown]
        if isinstance(item, bytes | bytearray):
            return f"<{len(item)} bytes>"
        if isinstance(item, datetime.datetime | datetime.date | datetime.time):
            return item.isoformat()
        if isinstance(item, datetime.timedelta | decimal.Decimal | uuid.UUID | complex):
            return str(item)
        # Never the value's own repr: it may hold anything, and it may not end.
        if isinstance(item, Opaque):
            return f"<{item.name[:LONGEST_TEXT]}>"
        return f"<{type(item).__module__}.{type(item).__qualname__}>"

    return convert(value, 0)


def _first(items: Any, most: int) -> Any:
    """At most as many items as there is room for, and one more to show the cut."""
    return (item for item, _ in zip(items, range(max(most, 0) + 1), strict=False))
