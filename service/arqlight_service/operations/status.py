"""The status line: what is wrong, or what runs, and the command that helps."""

import functools
from collections.abc import Sequence
from typing import Any, Literal, TypedDict

from arqlight.bundled import bundled_tasks
from arqlight.jobs.queues import queue_name


class Status(TypedDict):
    """`command` is what a person types to fix it, when there is one."""

    level: Literal["calm", "busy", "trouble"]
    text: str
    command: str | None


def status_of(stats: dict[str, Any]) -> Status:
    """The line for the figures of `GET /api/v1/stats`; the worst thing is said first."""
    waiting, running, failed = stats["queued"], stats["processing"], stats["failed"]
    if waiting and not stats["workers"]:
        queues = [queue["queue"] for queue in stats["lanes"] if queue["queued"]]
        return _say(
            "trouble", f"{_count(waiting)} waiting and no worker is running. Start one with", worker_for(queues)
        )
    stuck = [queue for queue in stats["lanes"] if queue["queued"] and not queue["workers"]]
    if stuck:
        names = ", ".join(queue["queue"] for queue in stuck)
        text = f"{_count(sum(queue['queued'] for queue in stuck))} waiting in {names}, and no worker takes from there."
        return _say("trouble", f"{text} Start one with", worker_for([queue["queue"] for queue in stuck], by_name=True))
    paused = [queue for queue in stats["lanes"] if queue["queued"] and queue["paused"]]
    if paused:
        names = ", ".join(queue["queue"] for queue in paused)
        return _say(
            "trouble", f"{_count(sum(queue['queued'] for queue in paused))} waiting in {names}, which is paused."
        )
    if failed and not (running or waiting):
        return _say("trouble", f"{_count(failed)} failed and {'needs' if failed == 1 else 'need'} attention.")
    if running or waiting:
        trouble = f" {_count(failed)} failed." if failed else ""
        return _say("busy", f"{running:,} running, {waiting:,} waiting.{trouble}")
    if not stats["workers"]:
        return _say("calm", "All quiet, but no worker is running. Start one with", "arqlight worker")
    return _say("calm", "All quiet: nothing runs, nothing waits, nothing failed.")


def worker_for(queues: Sequence[str], *, by_name: bool = False) -> str:
    """The command that starts a worker for these queues: the bundled one where all of them are its own.

    Another application's jobs need that application's worker: the bundled one takes none of them.
    """
    names = [queue.rpartition(": ")[2] for queue in queues]  # of several connections, each is named before its queue
    if not set(names) <= _bundled_queues():
        return "arqlight worker myapp.WorkerSettings"
    return f"arqlight worker --queues {','.join(names)}" if by_name else "arqlight worker"


@functools.cache
def _bundled_queues() -> frozenset[str]:
    return frozenset(queue_name(task.queue) for task in bundled_tasks().values())


def _say(level: Literal["calm", "busy", "trouble"], text: str, command: str | None = None) -> Status:
    return {"level": level, "text": text, "command": command}


def _count(number: int) -> str:
    return f"{number:,} job" if number == 1 else f"{number:,} jobs"
