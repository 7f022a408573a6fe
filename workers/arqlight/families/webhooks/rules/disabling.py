"""When an endpoint is switched off: after days of nothing but failure, and its owner was told before."""

from datetime import datetime, timedelta
from typing import Literal

Verdict = Literal["keep", "warn", "disable"]


def verdict(failing_since: datetime | None, warned_at: datetime | None, now: datetime, after_d: float) -> Verdict:
    """What to do with an endpoint after a failed attempt.

    :param failing_since: its first failure after which nothing was taken.
    :param warned_at: when its owner was told of that.
    :param after_d: days of failure after which it is switched off; the owner is told at half of them, and has the
        other half, however seldom there is something to deliver.
    """
    half = timedelta(days=after_d / 2)
    if failing_since is None or now - failing_since < half:
        return "keep"
    if warned_at is None:
        return "warn"
    return "disable" if now - warned_at >= half else "keep"


def disabled_at(failing_since: datetime | None, warned_at: datetime | None, after_d: float) -> datetime | None:
    """The earliest moment at which one that goes on failing is switched off."""
    if failing_since is None:
        return None
    half = timedelta(days=after_d / 2)
    return (warned_at or failing_since + half) + half
