"""Another user of this machine, who tries what a test gives them."""

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

ANOTHER = 65534


def _become() -> None:
    os.setgroups([])
    os.setgid(ANOTHER)
    os.setuid(ANOTHER)


@contextlib.contextmanager
def another_user() -> Iterator[Callable[..., Any]]:
    """`ask(function, argument, …)`: what a function of a module answers when they call it. Needs root."""
    # Forked: an interpreter in root's own folders could not be started anew.
    with ProcessPoolExecutor(1, mp_context=get_context("fork"), initializer=_become) as process:
        yield lambda function, *arguments: process.submit(function, *arguments).result(timeout=60)


def opened(paths: list[str]) -> list[str]:
    """Those of the files and folders that can be read or listed, or written."""
    return [path for path in paths if any(os.access(path, way) for way in (os.R_OK, os.W_OK))]


def refused(function: Callable[..., Any], *arguments: Any) -> str:
    """The error that a call raises; "" where it succeeds."""
    try:
        function(*arguments)
    except Exception as error:  # of a driver's own kind, which may not travel between processes
        return str(error)
    return ""
