"""The Retry-After header of an answer."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after_s(header: str | None) -> float | None:
    """Seconds that a Retry-After asks for (RFC 9110, 10.2.3: a number or a date); None when it says nothing usable."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header).astimezone(UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError):  # no date, or one that no calendar has
        return None
