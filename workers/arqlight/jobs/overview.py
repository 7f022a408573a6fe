"""The figures and the active list of one instant, whatever keeps the jobs."""

from dataclasses import dataclass
from typing import Any

from arqlight.jobs.display import iso
from arqlight.jobs.job import Job
from arqlight.jobs.queues import queue_name


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """What is in one queue. `key` is arq's name of it."""

    key: str
    processing: int
    queued: int
    scheduled: int
    workers: int
    paused: bool
    oldest_ms: int | None  # when the job that waits longest was due

    @property
    def is_active(self) -> bool:
        """Whether the queue has active jobs, or a live worker that takes from it."""
        return bool(self.processing or self.queued or self.workers)

    def to_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "queue": queue_name(self.key),
            "processing": self.processing,
            "queued": self.queued,
            "scheduled": self.scheduled,
            "workers": self.workers,
            "active": self.is_active,
            "paused": self.paused,
            "oldest_at": None if self.oldest_ms is None else iso(self.oldest_ms),
        }


@dataclass(frozen=True, slots=True)
class Overview:
    """The figures and the active list, of one instant."""

    cursor: str
    failed: int
    queues: list[QueueFigures]
    workers: int
    active: list[Job]

    def stats(self) -> dict[str, Any]:
        """The counts, as `GET /api/v1/stats` gives them."""
        active = [queue for queue in self.queues if queue.is_active]
        return {
            "processing": sum(queue.processing for queue in self.queues),
            "queued": sum(queue.queued for queue in self.queues),
            "scheduled": sum(queue.scheduled for queue in self.queues),
            "failed": self.failed,
            "active_queues": len(active),
            "workers": self.workers,
            "lanes": [queue.to_json() for queue in active],
            "unserved": sum(queue.queued for queue in self.queues if not queue.workers),
            "cursor": self.cursor,
        }
