"""Failed jobs by what made them fail: one line for 4,000 of the same."""

from typing import Any

from arqlight.jobs.display import iso
from arqlight.jobs.job import read_record
from arqlight.journal.scripting import Scripts

SPARK_STEPS = 24
SPARK_STEP_MS = 3_600_000


async def read_groups(scripts: Scripts, first: int = 0, limit: int = 50) -> tuple[list[dict[str, Any]], int]:
    """Groups from place `first`, the last seen first, and how many there are.

    Each: `{"fingerprint", "task", "error", "message", "count", "first_seen", "last_seen", "spark"}`; `spark` is
    how many failed in each of the last 24 hours, the oldest first, of those still in the list.
    """
    total, *found = await scripts.run("groups", first, limit, SPARK_STEPS, SPARK_STEP_MS)
    groups = []
    for fingerprint, count, last_seen, about, spark in found:
        told = read_record(about)
        groups.append(
            {
                "fingerprint": fingerprint.decode(),
                "task": told.get("task", ""),
                "error": told.get("error", ""),
                "message": told.get("message", ""),
                "count": count,
                "first_seen": iso(float(told["first_seen"])) if "first_seen" in told else None,
                "last_seen": iso(float(last_seen)),
                "spark": spark,
            }
        )
    return groups, int(total)
