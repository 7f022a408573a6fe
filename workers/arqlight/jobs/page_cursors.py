"""Cursors of lists: a section, and the place in it behind which the next page begins."""

import base64
import json
import math

from arqlight.errors import CursorInvalid
from arqlight.jobs.bounded_json import read_bounded
from arqlight.jobs.budget import TOLD, Budget


def write_cursor(place: tuple[int, float, str]) -> str:
    """The cursor behind (section, score, id)."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def read_cursor(cursor: str | None, sections: int) -> tuple[int, tuple[float, str] | None]:
    """The section, and (score, id) behind which to go on. Raises CursorInvalid."""
    if not cursor:
        return 0, None
    try:
        written = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        section, score, job_id = read_bounded(written, Budget(TOLD))
        if not (isinstance(section, int) and 0 <= section < sections and isinstance(job_id, str)):
            raise ValueError("out of range")
        job_id.encode("utf-8", "surrogateescape")  # as a server takes it
        if not math.isfinite(score := float(score)):
            raise ValueError("no place")
        return section, (score, job_id)
    except (ValueError, TypeError, OverflowError):  # OverBudget and errors of base64 are ValueErrors
        raise CursorInvalid(cursor) from None
