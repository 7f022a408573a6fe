"""How attempts ended, written in PgQueuer's stead: with what it does not keep, and only by who holds the job."""

import uuid
from datetime import timedelta
from typing import Any

from pgqueuer.domain.models import Job, TracebackRecord
from pgqueuer.domain.types import JOB_STATUS, JobId
from pgqueuer.queries import Queries

from arqlight.connections.database.pool import query
from arqlight.connections.database.rows import traceback_of
from arqlight.journal.journal import Ending

UNCOUNTED = {"reason": "unclaimed"}  # a traceback of no failure: the job goes back as if it had never begun


class EndingQueries(Queries):
    """PgQueuer's queries, of which those that end a run are ours."""

    def belongs_to(self, manager: uuid.UUID, worker: str) -> None:
        """Whose endings these are. A job that was given to another worker meanwhile is not theirs to end."""
        self._manager = manager
        self._worker = worker
        self._endings: dict[JobId, Ending] = {}

    def note(self, job_id: JobId, ending: Ending) -> None:
        """How an attempt ended, for when PgQueuer comes to write it."""
        self._endings[job_id] = ending

    async def log_jobs(self, job_status: list[tuple[Job, JOB_STATUS, TracebackRecord | None]]) -> None:
        """Write down many endings: those that ended alike in one statement."""
        by_status: dict[JOB_STATUS, list[JobId]] = {}
        for job, status, _ in job_status:
            if job.id in self._endings:  # else it was written before another part of its group was refused
                by_status.setdefault(status, []).append(job.id)
        for status, numbers in by_status.items():
            endings = [self._endings[number] for number in numbers]
            if status == "failed":
                told = [_told(ending, number) for ending, number in zip(endings, numbers, strict=True)]
                await self.driver.execute(query("fail"), numbers, told, self._manager)
            else:
                results = [ending.result or None for ending in endings]
                await self.driver.execute(query("finish"), numbers, results, status, self._manager, self._worker)
            for number in numbers:
                del self._endings[number]

    async def retry_job(self, job: Job, delay: timedelta, traceback_record: TracebackRecord | None) -> None:
        """Write down that a job runs again, after the delay of its ending."""
        ending = self._endings.get(job.id)
        if ending is None:  # it never began
            await self.driver.execute(query("reschedule"), job.id, delay, UNCOUNTED, 0, self._manager)
            return
        delay = timedelta(milliseconds=ending.delay_ms)
        counts = int(not ending.most_uncounted)
        await self.driver.execute(query("reschedule"), job.id, delay, _told(ending, job.id), counts, self._manager)
        del self._endings[job.id]


def _told(ending: Ending, number: JobId) -> dict[str, Any]:
    return traceback_of(ending.failure, number) if ending.failure else UNCOUNTED
