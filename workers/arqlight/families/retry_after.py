"""The Retry-After header of an answer."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after_s(header: str | None, sent: str | None = None) -> float | None:
    """Seconds that a Retry-After asks for (RFC 9110, 10.2.3: a number or a date); None when it says nothing usable.

    :param sent: the answer's Date, by which a date is read: the sender's clock may be an hour off.
    """
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    until = _moment(header)
    if until is None:
        return None
    return max(0.0, (until - (_moment(sent) or datetime.now(UTC))).total_seconds())


def _moment(header: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(header).astimezone(UTC) if header else None
    except (ValueError, OverflowError):  # no date, or one that no calendar has
        return None
