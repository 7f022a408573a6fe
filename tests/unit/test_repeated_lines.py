"""Errors that repeat fill no disk."""

import io
import logging

import pytest

from arqlight.runtime.repeated_lines import MOST, RepeatedLines


def test_lines_that_repeat_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr("arqlight.runtime.repeated_lines.time.monotonic", lambda: now)
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.addFilter(RepeatedLines())
    logger = logging.Logger("a service")
    logger.addHandler(handler)

    def fail(number: int) -> None:
        logger.error("accept %d failed", number)

    for number in range(10_000):
        fail(number)
    logger.warning("something else")
    logger.info("and news")
    assert written.getvalue().count("\n") == MOST + 2
    now += 61
    fail(7)
    assert written.getvalue().endswith(
        f"accept 7 failed ({10_000 - MOST} more lines like this one were left out before it)\n"
    )
