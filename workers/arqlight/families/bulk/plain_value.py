"""Values of a database as JSON has them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

MOST_DIGITS = 300  # of an exact number before its point: no float is much larger, and text of more is no use


def plain_value(value: Any) -> Any:
    """A time as ISO 8601, an exact number as a number, anything else as text: for `json.dumps`."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < MOST_DIGITS:
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)
