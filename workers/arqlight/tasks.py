"""The decorator for our own tasks: queue, tries, timeout and back-off, said where the task is written.

A task so declared is an arq `Function`, so a plain arq worker runs it, back-off included.
"""

import functools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from arq.worker import Function, Retry

from arqlight.coroutine_functions import is_awaitable_function
from arqlight.errors import PermanentFailure, SettingsError
from arqlight.jobs.overrides import Override
from arqlight.jobs.queues import queue_key


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds to wait before the next attempt: exponential with equal jitter (AWS, "Exponential Backoff and Jitter").

    Half of the wait is fixed, so that a retry never comes at once; the other half is random.
    """

    first_s: float = 2.0
    factor: float = 2.0
    longest_s: float = 600.0

    def delay_s(self, attempt: int) -> float:
        """The wait after attempt number `attempt` (the first is 1) failed."""
        ceiling = min(self.longest_s, self.first_s * self.factor ** min(attempt - 1, 60))
        return ceiling / 2 + random.uniform(0, ceiling / 2)  # noqa: S311 - jitter, not a secret

    def overridden(self, override: Override) -> "Backoff":
        """This, with what was set on the page."""
        return replace(
            self,
            first_s=override.backoff_first_s or self.first_s,
            longest_s=override.backoff_longest_s or self.longest_s,
        )


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds to wait before the next attempt, each named; the last one stays. A tenth of it is jitter."""

    waits_s: tuple[float, ...]

    def delay_s(self, attempt: int) -> float:
        """The wait after attempt number `attempt` failed."""
        wait_s = self.waits_s[min(attempt, len(self.waits_s)) - 1]
        return wait_s * random.uniform(1, 1.1)  # noqa: S311 - jitter, not a secret

    def overridden(self, override: Override) -> "Backoff | Waits":
        """This, unless a back-off was set on the page."""
        if override.backoff_first_s is None and override.backoff_longest_s is None:
            return self
        return Backoff(longest_s=self.waits_s[-1]).overridden(override)


@dataclass
class Task(Function):
    """An arq function that knows its queue. Call it like the coroutine it wraps."""

    queue: str = queue_key("default")
    connection: str | None = None
    # What an attempt that was cut off from outside (its timeout) is to raise: its own code cannot.
    again: Callable[[dict[Any, Any], BaseException], BaseException] = field(default=lambda ctx, error: error)
    # Called with a job's arguments as it is enqueued.
    check: Callable[..., None] | None = None

    async def __call__(self, ctx: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        return await self.coroutine(ctx, *args, **kwargs)


def is_last_try(ctx: dict[Any, Any], tries: int) -> bool:
    """Whether a job whose attempt fails is not tried again. A page may override `tries`, the task's own."""
    override = ctx.get("override")
    return bool(ctx.get("job_try", 1) >= ((override and override.tries) or tries))


def task(
    *,
    queue: str = "default",
    tries: int = 5,
    timeout_s: float = 300,
    backoff: Backoff | Waits = Backoff(),
    keep_result_s: float | None = None,
    name: str | None = None,
    connection: str | None = None,
    check: Callable[..., None] | None = None,
) -> Callable[[Callable[..., Awaitable[Any]]], Task]:
    """Declare a task. Any error, a timeout too, is tried again after `backoff` until `tries` attempts are used up.

    `PermanentFailure` fails at once; `arq.Retry` chooses its own delay. `queue` is the name of a queue; `connection`
    is where its jobs go to unless somebody says otherwise, and workers of either connection run them. `check` is called
    with the arguments when `Client.enqueue` is given the task, and raises for what it could never do. Raises
    SettingsError for what is no coroutine function.
    """

    def again(ctx: dict[Any, Any], error: BaseException) -> BaseException:
        """A Retry after the back-off while tries are left, else the error itself."""
        if is_last_try(ctx, tries):
            return error
        number = ctx.get("job_try", 1)
        override = ctx.get("override")
        wait = backoff.overridden(override) if override else backoff
        retry = Retry(defer=wait.delay_s(number))
        retry.__cause__ = error
        return retry

    def declare(coroutine: Callable[..., Awaitable[Any]]) -> Task:
        if not is_awaitable_function(coroutine):
            raise SettingsError(
                f"task {getattr(coroutine, '__name__', coroutine)!r} is no coroutine function; write async def"
            )

        @functools.wraps(coroutine)
        async def attempt(ctx: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
            try:
                return await coroutine(ctx, *args, **kwargs)
            except (Retry, PermanentFailure):
                raise
            except Exception as error:
                if (next_step := again(ctx, error)) is error:
                    raise
                raise next_step from error

        return Task(
            name=name or coroutine.__name__,
            coroutine=attempt,
            timeout_s=timeout_s,
            keep_result_s=keep_result_s,
            keep_result_forever=None,
            max_tries=tries,
            queue=queue_key(queue),
            connection=connection,
            again=again,
            check=check,
        )

    return declare
