"""A job with all that is kept of it."""

from dataclasses import dataclass
from typing import Any

from arqlight.jobs.job import Failure, Job
from arqlight.jobs.secret_texts import hide_within


@dataclass(frozen=True, slots=True)
class JobDetail:
    """One job.

    :param failures: its failed attempts, newest first.
    :param timeline: what happened, oldest first (see `job.timeline`).
    :param result: what the task returned, as plain JSON; None when it is not kept.
    :param log: its own lines, oldest first: `{"at", "level", "logger", "message"}`.
    """

    job: Job
    failures: list[Failure]
    timeline: list[dict[str, Any]]
    result: Any
    log: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """As the API shows it: the job, with `failures`, `timeline`, `result` and `log`."""
        told = [failure.to_json() for failure in self.failures]
        more: dict[str, Any] = {"failures": told, "timeline": self.timeline, "result": self.result, "log": self.log}
        shown: dict[str, Any] = hide_within(more, self.job.arguments.secrets)
        return self.job.to_json() | shown
