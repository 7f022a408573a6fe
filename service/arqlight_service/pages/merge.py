"""Several connections as one: the figures added up, the lists in one order. `live.js` keeps to the same rules."""

from collections.abc import Sequence
from typing import Any

from arqlight.connections.connection import ACTIVE_ROWS
from arqlight_service.operations.status import Standing, standing

SUMS = ("processing", "queued", "scheduled", "failed", "active_queues", "workers")
LEVELS = ("calm", "busy", "trouble")


def add_up(stats: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The figures of all connections; their lanes one behind the other. No cursor: it is one connection's."""
    return {
        **{name: sum(each[name] for each in stats.values()) for name in SUMS},
        "lanes": [_lane_of(name, lane, len(stats) > 1) for name, each in stats.items() for lane in each["lanes"]],
        "cursor": None,
    }


def _lane_of(connection: str, lane: dict[str, Any], is_one_of_several: bool) -> dict[str, Any]:
    return {**lane, "queue": f"{connection}: {lane['queue']}"} if is_one_of_several else lane


def merge_active(lists: Sequence[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The last active jobs of all: those that run first, each kind with the newest first."""
    jobs = [job for each in lists for job in each]
    jobs.sort(key=lambda job: job["started_at"] or job["created_at"] or "", reverse=True)
    jobs.sort(key=lambda job: job["state"] != "processing")
    return jobs[:ACTIVE_ROWS]


def merge_failed(lists: Sequence[list[dict[str, Any]]], rows: int) -> list[dict[str, Any]]:
    """The newest failed jobs of all."""
    return sorted((job for each in lists for job in each), key=lambda job: job["failed_at"] or "", reverse=True)[:rows]


def worst_standing(stats: dict[str, dict[str, Any]]) -> Standing:
    """How things stand: the worst of what is said of each connection, with its name where there are several.

    Where all is in order and something runs, it is said of all together.
    """
    said = {name: standing(each) for name, each in stats.items()}
    if not said:
        return {"level": "trouble", "text": "No connection answers.", "command": None}
    name = max(said, key=lambda name: LEVELS.index(said[name]["level"]))
    worst = said[name]
    if len(said) > 1 and worst["level"] == "busy":
        return standing(add_up(stats))
    if len(said) > 1 and worst["level"] == "trouble":
        worst = {**worst, "text": f"{name}: {worst['text']}"}
    return worst
