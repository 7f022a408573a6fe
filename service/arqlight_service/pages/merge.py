"""Several connections as one: the figures added up, the lists in one order. `live.js` keeps to the same rules."""

from collections.abc import Sequence
from typing import Any

from arqlight.connections.connection import ACTIVE_ROWS
from arqlight_service.operations.status import Status, status_of

SUMS = ("processing", "queued", "scheduled", "failed", "active_queues", "workers")
LEVELS = ("calm", "busy", "trouble")


def add_up(stats: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The figures of all connections; their queues one behind the other. No cursor: it is one connection's."""
    return {
        **{name: sum(each[name] for each in stats.values()) for name in SUMS},
        "lanes": [_named(name, queue, len(stats) > 1) for name, each in stats.items() for queue in each["lanes"]],
        "cursor": None,
    }


def _named(connection: str, queue: dict[str, Any], is_one_of_several: bool) -> dict[str, Any]:
    return {**queue, "queue": f"{connection}: {queue['queue']}"} if is_one_of_several else queue


def merge_active(lists: Sequence[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The last active jobs of all: those that run first, each kind with the newest first."""
    jobs = [job for each in lists for job in each]
    jobs.sort(key=lambda job: job["started_at"] or job["created_at"] or "", reverse=True)
    jobs.sort(key=lambda job: job["state"] != "processing")
    return jobs[:ACTIVE_ROWS]


def merge_failed(lists: Sequence[list[dict[str, Any]]], rows: int) -> list[dict[str, Any]]:
    """The newest failed jobs of all."""
    return sorted((job for each in lists for job in each), key=lambda job: job["failed_at"] or "", reverse=True)[:rows]


def worst_status(stats: dict[str, dict[str, Any]]) -> Status:
    """The status: the worst of what is said of each connection, with its name where there are several.

    Where all is in order and something runs, it is said of all together.
    """
    said = {name: status_of(each) for name, each in stats.items()}
    if not said:
        return {"level": "trouble", "text": "No connection answers.", "command": None}
    name = max(said, key=lambda name: LEVELS.index(said[name]["level"]))
    worst = said[name]
    if len(said) > 1 and worst["level"] == "busy":
        return status_of(add_up(stats))
    if len(said) > 1 and worst["level"] == "trouble":
        worst = {**worst, "text": f"{name}: {worst['text']}"}
    return worst
