"""One line that says how things stand, and what to do about it."""

from typing import Any, Literal, TypedDict


class Standing(TypedDict):
    """`command` is what a person types to fix it, when there is such a thing."""

    level: Literal["calm", "busy", "trouble"]
    text: str
    command: str | None


def standing(stats: dict[str, Any]) -> Standing:
    """The line for the figures of `GET /api/v1/stats`; the worst thing is said first."""
    waiting, running, failed = stats["queued"], stats["processing"], stats["failed"]
    if waiting and not stats["workers"]:
        return _say("trouble", f"{_count(waiting)} waiting and no worker is running. Start one with", "arqlight worker")
    stuck = [lane for lane in stats["lanes"] if lane["queued"] and not lane["workers"]]
    if stuck:
        lanes = ", ".join(lane["queue"] for lane in stuck)
        text = f"{_count(sum(lane['queued'] for lane in stuck))} waiting in {lanes}, and no worker takes from there."
        return _say("trouble", f"{text} Start one with", f"arqlight worker --queues {lanes.replace(', ', ',')}")
    paused = [lane for lane in stats["lanes"] if lane["queued"] and lane["paused"]]
    if paused:
        lanes = ", ".join(lane["queue"] for lane in paused)
        return _say("trouble", f"{_count(sum(lane['queued'] for lane in paused))} waiting in {lanes}, which is paused.")
    if failed and not (running or waiting):
        return _say("trouble", f"{_count(failed)} failed and {'waits' if failed == 1 else 'wait'} for your decision.")
    if running or waiting:
        trouble = f" {_count(failed)} failed." if failed else ""
        return _say("busy", f"{running:,} running, {waiting:,} waiting.{trouble}")
    if not stats["workers"]:
        return _say("calm", "All quiet, but no worker is running. Start one with", "arqlight worker")
    return _say("calm", "All quiet: nothing runs, nothing waits, nothing failed.")


def _say(level: Literal["calm", "busy", "trouble"], text: str, command: str | None = None) -> Standing:
    return {"level": level, "text": text, "command": command}


def _count(number: int) -> str:
    return f"{number:,} job" if number == 1 else f"{number:,} jobs"
