"""A claim's token here: which row, and the moment of its claim. State belongs to a claim; an id may come again."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEP = timedelta(microseconds=1)


def token_of(number: int, claimed: datetime) -> str:
    """The token of a row that was claimed at a moment."""
    return f"{number}.{(claimed - EPOCH) // _STEP}"


def read_token(token: str) -> tuple[int, datetime]:
    """The row, and the moment of its claim to the microsecond, as PostgreSQL keeps it."""
    number, _, moment = token.partition(".")
    return int(number), EPOCH + int(moment) * _STEP
