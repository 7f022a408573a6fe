"""Which jobs are meant: by queue, task, text, cause and time."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from arqlight.jobs.job import Job


@dataclass(frozen=True, slots=True)
class JobFilter:
    """What a list shows; None leaves a thing open.

    `queue` is a queue's key; `text` is looked for in id, task, error and arguments; the times, in ms, are when a job
    ended, started or is due, whichever its state orders by, both ends included.
    """

    queue: str | None = None
    task: str | None = None
    text: str | None = None
    fingerprint: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether jobs have to be read to know that they are meant."""
        return any((self.queue, self.task, self.text, self.fingerprint))

    def matches(self, job: Job) -> bool:
        """Whether `job` is meant, its time apart."""
        if self.queue and job.queue != self.queue:
            return False
        if self.task and job.task != self.task:
            return False
        if self.fingerprint and job.fingerprint != self.fingerprint:
            return False
        if self.text:
            arguments = json.dumps([job.arguments.args, job.arguments.kwargs], ensure_ascii=False)
            where = f"{job.id}\n{job.task}\n{job.error}: {job.message}\n{arguments}\n{job.arguments.summary()}"
            return self.text.casefold() in where.casefold()
        return True

    def to_json(self) -> dict[str, Any]:
        """What is not open."""
        return {name: value for name, value in asdict(self).items() if value is not None}


ALL = JobFilter()
