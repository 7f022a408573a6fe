"""The arq application of a day's work: jobs that end well, talk, come again, and fail."""

from typing import Any, ClassVar

from arq.worker import Retry


async def ok(ctx: dict[str, Any], text: str, hour: int, n: int) -> int:
    return n


async def talks(ctx: dict[str, Any], text: str, hour: int, n: int) -> None:
    for step in range(5):
        ctx["progress"](step, 5, "steps")
        ctx["log"].info("step %d of job %d", step, n)


async def again(ctx: dict[str, Any], text: str, hour: int, n: int) -> None:
    if ctx["job_try"] == 1:
        raise Retry(defer=0.05)


async def fails(ctx: dict[str, Any], text: str, hour: int, n: int) -> None:
    raise ValueError(f"the {n}th job of hour {hour} was meant to fail")


class WorkerSettings:
    """No results: how many are kept at a moment would be all that changes."""

    functions: ClassVar[list[Any]] = [ok, talks, again, fails]
    max_jobs = 50
    max_tries = 3
    keep_result = 0
