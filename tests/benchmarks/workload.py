"""The tasks that the worker of some measurements runs."""

import os
import time
from typing import Any, ClassVar

_marks = os.open(os.environ.get("BENCH_MARKS", os.devnull), os.O_WRONLY | os.O_APPEND | os.O_CREAT)


async def ok(ctx: dict[str, Any]) -> None:
    """Nothing."""


async def fail(ctx: dict[str, Any]) -> None:
    """A failure with a trace."""
    raise ValueError("one that was meant to")


async def compute(ctx: dict[str, Any]) -> None:
    """Two milliseconds of the CPU, and a mark."""
    until = time.process_time() + 0.002
    while time.process_time() < until:
        sum(range(500))
    os.write(_marks, b".")


class WorkerSettings:
    """All of them."""

    functions: ClassVar[list[Any]] = [ok, fail, compute]
    max_jobs = int(os.environ.get("BENCH_MAX_JOBS", "50"))
    keep_result = 0
