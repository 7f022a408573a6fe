"""Cursors of lists: a section, and the place in it behind which the next page begins."""

import base64
import binascii
import json

from arqlight.errors import CursorInvalid


def write_cursor(place: tuple[int, float, str]) -> str:
    """The cursor behind (section, score, id)."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def read_cursor(cursor: str | None, sections: int) -> tuple[int, tuple[float, str] | None]:
    """The section, and (score, id) behind which to go on. Raises CursorInvalid."""
    if not cursor:
        return 0, None
    try:
        section, score, job_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not (isinstance(section, int) and 0 <= section < sections and isinstance(job_id, str)):
            raise ValueError("out of range")
        return section, (float(score), job_id)
    except (ValueError, TypeError, binascii.Error):
        raise CursorInvalid(cursor) from None
