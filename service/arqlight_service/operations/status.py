"""The status line: what is wrong, or what runs, and the command that helps."""

from typing import Any, Literal, TypedDict


class Status(TypedDict):
    """`command` is what a person types to fix it, when there is one."""

    level: Literal["calm", "busy", "trouble"]
    text: str
    command: str | None


def status_of(stats: dict[str, Any]) -> Status:
    """The line for the figures of `GET /api/v1/stats`; the worst thing is said first."""
    waiting, running, failed = stats["queued"], stats["processing"], stats["failed"]
    if waiting and not stats["workers"]:
        return _say("trouble", f"{_count(waiting)} waiting and no worker is running. Start one with", "arqlight worker")
    stuck = [queue for queue in stats["lanes"] if queue["queued"] and not queue["workers"]]
    if stuck:
        names = ", ".join(queue["queue"] for queue in stuck)
        text = f"{_count(sum(queue['queued'] for queue in stuck))} waiting in {names}, and no worker takes from there."
        return _say("trouble", f"{text} Start one with", f"arqlight worker --queues {names.replace(', ', ',')}")
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


def _say(level: Literal["calm", "busy", "trouble"], text: str, command: str | None = None) -> Status:
    return {"level": level, "text": text, "command": command}


def _count(number: int) -> str:
    return f"{number:,} job" if number == 1 else f"{number:,} jobs"
