"""Queues, and the figures over them."""

from typing import Literal

from arqlight_service.api.shapes.answer import Answer, Moment


class Queue(Answer):
    """What is in a queue."""

    queue: str
    processing: int
    queued: int
    scheduled: int
    workers: int
    """Live workers that take from it."""
    active: bool
    """Whether it has active jobs, or a live worker that takes from it."""
    paused: bool
    oldest_at: Moment | None
    """When the job that waits longest was due."""


class Stats(Answer):
    """The figures, of one instant."""

    processing: int
    queued: int
    scheduled: int
    failed: int
    active_queues: int
    workers: int
    lanes: list[Queue]
    """The active queues."""
    unserved: int
    """Jobs that wait in queues no live worker takes from."""
    cursor: str | None
    """The place in the feed they stand at."""


class Status(Answer):
    """How things stand, in a sentence."""

    level: Literal["calm", "busy", "trouble"]
    text: str
    command: str | None
    """What to type to fix it."""


class Counts(Stats):
    """The figures, as the feed tells them."""

    standing: Status


class Paused(Answer):
    """Whether anything is claimed from a queue."""

    queue: str
    paused: bool


class Rate(Answer):
    """What a queue counted in the last five minutes. Times are medians and high percentiles, in milliseconds."""

    succeeded: int
    failed: int
    wait_p50_ms: float | None
    wait_p95_ms: float | None
    wait_p99_ms: float | None
    run_p50_ms: float | None
    run_p95_ms: float | None
    run_p99_ms: float | None
    per_minute: float


class Rates(Answer):
    """Of each queue what it counted."""

    items: dict[str, Rate]


class ChartPoint(Answer):
    """What was counted in one step. Times are medians and high percentiles, in milliseconds."""

    at: Moment
    succeeded: int
    failed: int
    wait_p50_ms: float | None
    wait_p95_ms: float | None
    wait_p99_ms: float | None
    run_p50_ms: float | None
    run_p95_ms: float | None
    run_p99_ms: float | None


class Chart(Answer):
    """Throughput, failures and latency, the oldest point first."""

    span: Literal["hour", "day", "week"]
    step_s: int
    points: list[ChartPoint]
