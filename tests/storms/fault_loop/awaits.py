"""Faults at the places where a worker's own code waits: the wait raises, or a cancellation comes out of it."""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

import arqlight

PACKAGE = str(Path(arqlight.__file__).parent)


class InjectedError(RuntimeError):
    """What a wait raises."""


class InjectedExit(BaseException):
    """What a wait raises that no `except Exception` catches."""


FAULTS: dict[str, Callable[[], BaseException]] = {
    "raises": lambda: InjectedError("a wait"),
    "exits": lambda: InjectedExit("a wait"),
    "is cancelled": asyncio.CancelledError,  # by nobody that cancelled this task: an inner task was, or a scope of a library
}


@dataclass(frozen=True, order=True)
class Wait:
    """The `number`-th time (from 1) that a task whose work is `work` waits at `place`, a line of our package."""

    work: str
    place: str
    number: int

    def __str__(self) -> str:
        return f"{self.work} #{self.number} in {self.place}"


class FaultyTasks:
    """`with followed(tasks):` and one of the tasks made meanwhile, in its context, has its fault.

    A task whose own code is neither of the package nor of arq's worker is left alone.

    :param at: where the fault is done; nowhere without one.
    """

    def __init__(self, at: Wait | None, fault: str) -> None:
        self.at = at
        self.fault = fault
        self.seen: Counter[tuple[str, str]] = Counter()
        self.is_done = threading.Event()

    def fault_at(self, work: str, place: str) -> str | None:
        """Count one wait; the fault that is to be done there."""
        self.seen[work, place] += 1
        if self.at != Wait(work, place, self.seen[work, place]) or self.is_done.is_set():
            return None
        self.is_done.set()
        return self.fault


_FOLLOWED_BY: ContextVar[FaultyTasks | None] = ContextVar("followed_by", default=None)


@contextlib.contextmanager
def followed(tasks: FaultyTasks | None) -> Iterator[None]:
    """Needs `prepare`."""
    token = _FOLLOWED_BY.set(tasks)
    try:
        yield
    finally:
        _FOLLOWED_BY.reset(token)


def prepare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make tasks that can be followed, on the running event loop and on those of threads started from now on."""
    new_loop, start = asyncio.new_event_loop, threading.Thread.start

    def with_factory(loop: asyncio.AbstractEventLoop) -> asyncio.AbstractEventLoop:
        loop.set_task_factory(_make)
        return loop

    def start_in_context(thread: threading.Thread) -> None:
        monkeypatch.setattr(thread, "run", partial(copy_context().run, thread.run))
        start(thread)

    monkeypatch.setattr("asyncio.runners.events.new_event_loop", lambda: with_factory(new_loop()))
    monkeypatch.setattr(threading.Thread, "start", start_in_context)
    with_factory(asyncio.get_running_loop())


def _make(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
    tasks, code = _FOLLOWED_BY.get(), getattr(work, "cr_code", None)
    if tasks is not None and code is not None and _is_followed(code):
        work = _Followed(work, tasks)
    return asyncio.Task(work, loop=loop, **options)


def waits_seen(tasks: FaultyTasks) -> list[Wait]:
    """Where a fault can be done: each wait that was seen, the first time and one in the middle."""
    return [
        Wait(work, place, number)
        for (work, place), times in sorted(tasks.seen.items())
        for number in sorted({1, times // 2 + 1})
    ]


def _is_followed(code: CodeType) -> bool:
    return code.co_filename.startswith(PACKAGE) or code.co_filename.endswith("arq/worker.py")


class _Followed(Coroutine[Any, Any, Any]):
    """A coroutine that is looked at each time it waits."""

    def __init__(self, work: Any, tasks: FaultyTasks) -> None:
        self._work = work
        self._tasks = tasks
        self._fault: str | None = None

    def __await__(self) -> Generator[Any, Any, Any]:
        raise NotImplementedError("it is only run as a task")

    def send(self, value: Any) -> Any:
        if self._fault is not None:
            error, self._fault = FAULTS[self._fault](), None
            return self._waits(self._work.throw(error))
        return self._waits(self._work.send(value))

    def throw(self, *error: Any) -> Any:
        return self._waits(self._work.throw(*error))

    def close(self) -> None:
        self._work.close()

    def _waits(self, future: Any) -> Any:
        place = _place_of(self._work)
        self._fault = self._tasks.fault_at(self._work.__qualname__, place) if place else None
        return future


def _place_of(work: Any) -> str | None:
    """The lines of our package where it waits now, outermost first; None where it waits in none of ours."""
    places = []
    while work is not None:
        frame = getattr(work, "cr_frame", None) or getattr(work, "gi_frame", None)
        if frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
            places.append(f"{frame.f_code.co_filename.removeprefix(PACKAGE + '/')}:{frame.f_lineno}")
        work = getattr(work, "cr_await", None) or getattr(work, "gi_yieldfrom", None)
    return " > ".join(places) or None
