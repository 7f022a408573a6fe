"""Errors that repeat are told a few times a minute, and then counted: whoever causes them must not fill the disk."""

import logging
import time

WINDOW_S = 60.0
MOST = 20  # of one place in the code, with one kind of exception, in a window
MOST_PLACES = 1_000


class RepeatedLines(logging.Filter):
    """A handler's filter. The first line of a window says how many were left out of the one before."""

    def __init__(self) -> None:
        super().__init__()
        self._windows: dict[object, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        if record.levelno < logging.WARNING:
            return True
        place = (record.name, record.pathname, record.lineno, record.exc_info[0] if record.exc_info else None)
        began, number = self._windows.get(place, (float("-inf"), 0))
        now = time.monotonic()
        if now - began < WINDOW_S:
            self._windows[place] = (began, number + 1)
            return number < MOST
        if place not in self._windows and len(self._windows) >= MOST_PLACES:
            del self._windows[next(iter(self._windows))]
        self._windows[place] = (now, 1)
        if number > MOST:
            record.msg = f"{record.getMessage()} ({number - MOST} more lines like this one were left out before it)"
            record.args = None
        return True
