"""What the journal counted: throughput, failures, and how long jobs waited and ran, for an hour, a day or a week.

Counters stand in one hash for each minute of the last 70 and each ten minutes of the last week: at most 5,000 fields in
each, and with ten queues about 300 (25 KB), 27 MB for all 1,090. Durations are counted in buckets a square root of two
apart, so a percentile is right to a fifth.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from arq.utils import timestamp_ms
from redis.asyncio import Redis

from arqlight.jobs.display import iso
from arqlight.jobs.names import read_name
from arqlight.journal.keys import KEYS

Span = Literal["hour", "day", "week"]
# Of each span: the key of its counters, minutes in each, how many are read, and how many make a point.
SPANS: dict[str, tuple[str, int, int, int]] = {
    "hour": ("minute", 1, 60, 1),
    "day": ("ten_minutes", 10, 144, 1),
    "week": ("ten_minutes", 10, 1008, 6),
}
PERCENTILES = (50, 95, 99)
RATE_MINUTES = 5


@dataclass(slots=True)
class Counts:
    """What was counted over some time."""

    succeeded: int = 0
    failed: int = 0
    enqueued: int = 0
    retried: int = 0
    cancelled: int = 0
    waited: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    ran: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    waited_ms: int = 0
    ran_ms: int = 0

    def add(self, name: str, number: int) -> None:
        """Count one field of a hash in: `succeeded`, `enqueued`, …, `ms_…`, `waited<bucket>` or `ran<bucket>`."""
        if name in ("succeeded", "failed", "enqueued", "retried", "cancelled"):
            setattr(self, name, getattr(self, name) + number)
        elif name == "ms_waited":
            self.waited_ms += number
        elif name == "ms_ran":
            self.ran_ms += number
        elif name.startswith("waited"):
            self.waited[int(name[6:])] += number
        elif name.startswith("ran"):
            self.ran[int(name[3:])] += number

    def to_json(self) -> dict[str, Any]:
        """With percentiles in ms; None where nothing was counted."""
        shown: dict[str, Any] = {"succeeded": self.succeeded, "failed": self.failed}
        for name, buckets in (("wait", self.waited), ("run", self.ran)):
            for percent, value in zip(PERCENTILES, percentiles(buckets, PERCENTILES), strict=True):
                shown[f"{name}_p{percent}_ms"] = value
        return shown


def percentiles(buckets: dict[int, int], percents: Sequence[int]) -> list[float | None]:
    """The percentiles of what was counted in `buckets`, each the middle of the bucket it falls into, in ms."""
    total = sum(buckets.values())
    if not total:
        return [None] * len(percents)
    found: list[float | None] = []
    for percent in percents:
        wanted, seen = max(1.0, total * percent / 100), 0
        for bucket in sorted(buckets):
            seen += buckets[bucket]
            if seen >= wanted:
                found.append(round(2 ** ((bucket + 0.5) / 2) - 1, 1))
                break
    return found


async def read_chart(redis: Redis, span: Span, queue: str | None = None) -> dict[str, Any]:
    """`{"span", "step_s", "points": [{"at", "succeeded", "failed", "wait_p50_ms", …}]}`, the oldest point first."""
    kind, minutes, buckets, together = SPANS[span]
    newest = timestamp_ms() // 60_000 // minutes
    if together > 1:
        newest = newest // together * together + together - 1  # whole hours; the last one is not over
    numbers = range(newest - buckets + 1, newest + 1)
    hashes = await _read(redis, kind, numbers)
    points = []
    for start in range(0, buckets, together):
        counts = Counts()
        for one in hashes[start : start + together]:
            _count(counts, one, queue)
        points.append({"at": iso(numbers[start] * minutes * 60_000), **counts.to_json()})
    return {"span": span, "step_s": minutes * 60 * together, "points": points}


def rate_json(
    succeeded: int, failed: int, waited_ms: Sequence[float | None], ran_ms: Sequence[float | None], minutes: float
) -> dict[str, Any]:
    """What a queue counted in some minutes, with how many ended in one. The times are of `PERCENTILES`."""
    shown: dict[str, Any] = {"succeeded": succeeded, "failed": failed}
    for name, values in (("wait", waited_ms), ("run", ran_ms)):
        for percent, value in zip(PERCENTILES, values or [None] * len(PERCENTILES), strict=True):
            shown[f"{name}_p{percent}_ms"] = None if value is None else round(float(value), 1)
    return {**shown, "per_minute": round((succeeded + failed) / minutes, 1)}


async def read_rates(redis: Redis, minutes: int = RATE_MINUTES) -> dict[str, dict[str, Any]]:
    """Of each queue (by key) what the last whole minutes and this one counted, and how many ended a minute."""
    newest = timestamp_ms() // 60_000
    by_queue: dict[str, Counts] = defaultdict(Counts)
    for one in await _read(redis, "minute", range(newest - minutes, newest + 1)):
        for name, number in one.items():
            counter, _, queue = name.partition(" ")
            by_queue[queue].add(counter, number)
    spent = minutes + (timestamp_ms() % 60_000) / 60_000
    return {
        queue: {**counts.to_json(), "per_minute": round((counts.succeeded + counts.failed) / spent, 1)}
        for queue, counts in by_queue.items()
    }


@dataclass(slots=True)
class Totals:
    """What was counted since ever: by queue (its key), and jobs that failed permanently by task."""

    by_queue: dict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))
    failures: dict[str, int] = field(default_factory=dict)


async def read_totals(redis: Redis) -> Totals:
    """The counters that only grow."""
    totals = Totals()
    answer: dict[bytes, bytes] = await redis.hgetall(KEYS["totals"])  # type: ignore[misc]
    for name, number in answer.items():
        counter, _, of = read_name(name).partition(" ")
        if counter == "failures":
            totals.failures[of] = int(number)
        else:
            totals.by_queue[of].add(counter, int(number))
    return totals


async def _read(redis: Redis, kind: str, numbers: Iterable[int]) -> list[dict[str, int]]:
    async with redis.pipeline(transaction=False) as pipe:
        for number in numbers:
            pipe.hgetall(f"{KEYS[kind]}{number}")
        answers: list[dict[bytes, bytes]] = await pipe.execute()
    return [{read_name(name): int(value) for name, value in answer.items()} for answer in answers]


def _count(counts: Counts, one: dict[str, int], queue: str | None) -> None:
    for name, number in one.items():
        counter, _, of_queue = name.partition(" ")
        if queue is None or queue == of_queue:
            counts.add(counter, number)
