"""A cursor is a place in the event stream: `<ms>-<number>`, as Redis names stream entries."""

START = "0-0"


def is_cursor(text: str) -> bool:
    """Whether this can be a cursor of the feed."""
    ms, _, number = text.partition("-")
    return len(text) <= 41 and all(part.isascii() and part.isdigit() and int(part) < 2**64 for part in (ms, number))


def place(cursor: str) -> tuple[int, int]:
    """A cursor as something that can be compared."""
    ms, _, number = cursor.partition("-")
    return int(ms), int(number)
