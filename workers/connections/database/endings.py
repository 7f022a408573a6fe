"""How attempts ended, written in PgQueuer's stead: with what it does not keep, and only by who holds the job."""

import uuid
from datetime import timedelta
from typing import Any

from pgqueuer.domain.models import Job, TracebackRecord
from pgqueuer.domain.types import JOB_STATUS, JobId
from pgqueuer.queries import Queries

from workers.connections.database.pool import query
from workers.connections.database.rows import traceback_of
from workers.journal import Ending

UNCOUNTED = {"reason": "unclaimed"}  # a traceback of no failure: the job goes back as if it had never begun


class EndingQueries(Queries):
    """PgQueuer's queries, of which those that end a run are ours."""

    def belongs_to(self, manager: uuid.UUID, worker: str) -> None:
        """Whose endings these are. A job that was given to another worker meanwhile is not theirs to end."""
        self._manager = manager
        self._worker = worker
        self._endings: dict[JobId, tuple[Ending, int]] = {}

    def note(self, job_id: JobId, ending: Ending, started_ms: int) -> None:
        """How an attempt ended, for when PgQueuer comes to write it."""
        self._endings[job_id] = (ending, started_ms)

    async def log_jobs(self, job_status: list[tuple[Job, JOB_STATUS, TracebackRecord | None]]) -> None:
        """Write down many endings in one statement."""
        columns: list[list[Any]] = [[], [], [], [], [], []]
        for job, status, _ in job_status:
            ending, started_ms = self._endings.get(job.id, (None, None))
            failure = ending.failure if ending else None
            row = (
                job.id,
                status,
                traceback_of(failure, job.id) if failure else None,
                ending.task if ending else "",
                (ending.result or None) if ending else None,
                started_ms,
            )
            for column, value in zip(columns, row, strict=True):
                column.append(value)
        await self.driver.execute(query("finish"), *columns, self._manager, self._worker)
        for job, _, _ in job_status:
            self._endings.pop(job.id, None)

    async def retry_job(self, job: Job, delay: timedelta, traceback_record: TracebackRecord | None) -> None:
        """Write down that a job runs again, after the delay of its ending."""
        ending, _ = self._endings.pop(job.id, (None, None))
        failure = ending.failure if ending else None
        told = traceback_of(failure, job.id) if failure else UNCOUNTED
        counts = int(ending.counts) if ending else 1
        delay = timedelta(milliseconds=ending.delay_ms) if ending else delay
        await self.driver.execute(query("reschedule"), job.id, delay, told, counts, self._manager)
