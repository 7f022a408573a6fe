"""How values read on a page: the filters of the templates."""

import datetime
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from arqlight_service.api.answers import suffix
from arqlight_service.api.paths import segment

LONGEST_LINE = 140
_UNITS = ((86_400 * 365, "year"), (86_400 * 30, "month"), (86_400, "day"), (3_600, "hour"), (60, "minute"))


def ago(moment: str | None) -> str:
    """An ISO time in words, "3 minutes ago" or "in 2 hours", as `Intl.RelativeTimeFormat` says it in the browser."""
    if moment is None:
        return "—"
    seconds = (datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(moment)).total_seconds()
    for size, unit in _UNITS:
        if abs(seconds) >= size:
            number = int(abs(seconds) // size)
            words = f"{number} {unit}{'' if number == 1 else 's'}"
            return f"{words} ago" if seconds > 0 else f"in {words}"
    return "just now" if seconds >= 0 else "in a moment"


def one_line(text: str | None) -> str:
    """Text cut to one line."""
    first = " ".join((text or "").split())
    return first if len(first) <= LONGEST_LINE else first[: LONGEST_LINE - 1] + "…"


def sentence(text: str) -> str:
    """A message as a sentence: it begins with a capital and ends with a full stop; what is between stays as it is."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def pretty(value: Any) -> str:
    """A JSON value, laid out."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def duration(ms: float | None) -> str:
    """Milliseconds in the unit that reads best."""
    if ms is None:
        return "—"
    if ms < 1000:
        return f"{ms:.0f} ms"
    seconds = ms / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size(number: int | None) -> str:
    """Bytes in the unit that reads best."""
    if number is None:
        return "—"
    value = float(number)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def count(number: int | None) -> str:
    """A number with its thousands."""
    return "—" if number is None else f"{number:,}"


def query(values: dict[str, Any]) -> str:
    """What is not empty of `values`, as a query."""
    return urlencode({name: value for name, value in values.items() if value not in (None, "")})


FILTERS: dict[str, Callable[..., str]] = {
    "ago": ago,
    "one_line": one_line,
    "sentence": sentence,
    "pretty": pretty,
    "duration": duration,
    "size": size,
    "count": count,
    "query": query,
    "suffix": suffix,
    "path": segment,
}
