"""Rows of the queries as jobs and failures."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from arq.utils import timestamp_ms

from arqlight.jobs.job import Failure, Job, State, read_arguments

STATES: dict[str, State] = {
    "picked": "processing",
    "failed": "failed",
    "successful": "succeeded",
    "exception": "failed",
    "canceled": "cancelled",
    "succeeded": "succeeded",
    "cancelled": "cancelled",
}
FAILED = "exception_type"  # what a traceback has that tells of a failure
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
END = datetime(9999, 1, 1, tzinfo=UTC)


def job_of(row: Any, connection: str) -> Job:
    """A job that PgQueuer holds."""
    status, due = row["status"], row["due_at"]
    state = STATES.get(status) or ("scheduled" if due > datetime.now(UTC) else "queued")
    arguments = read_arguments(row["payload"])
    told = row.get("traceback") or {}
    failure = failure_of(told, row["updated_at"]) if FAILED in told else None
    return Job(
        id=row["id"],
        queue=row["queue"],
        task=row["task"] or arguments.task or row["queue"],
        state=state,
        attempts=row["attempts"],
        created_ms=to_ms(row["created_at"]),
        started_ms=to_ms(row["updated_at"]) if state == "processing" else failure.started_ms if failure else None,
        finished_ms=to_ms(row["updated_at"]) if state == "failed" else None,
        worker=row["worker"] or (failure.worker if failure else None),
        arguments=arguments,
        due_ms=to_ms(due) if state in ("queued", "scheduled") else None,
        error=failure.error if failure else None,
        message=failure.message if failure else None,
        fingerprint=failure.fingerprint if failure else None,
        repeats=row.get("repeats") or 0,
        connection=connection,
        driver="database",
        progress=row["step"],
    )


def ended_job_of(row: Any, connection: str) -> Job:
    """A job that is over."""
    arguments = read_arguments(row["payload"])
    return Job(
        id=row["id"],
        queue=row["queue"],
        task=row["task"] or arguments.task or row["queue"],
        state=STATES[row["status"]],
        attempts=row["attempts"],
        created_ms=to_ms(row["created_at"]),
        started_ms=to_ms(row["started_at"]) if row["started_at"] else None,
        finished_ms=to_ms(row["finished_at"]),
        worker=row["worker"],
        arguments=arguments,
        connection=connection,
        driver="database",
    )


def failure_of(told: Mapping[str, Any], at: datetime) -> Failure:
    """A failed attempt as PgQueuer's log keeps it; what is ours stands in its additional context."""
    more = told.get("additional_context") or {}
    return Failure(
        attempt=more.get("attempt", 1),
        error=told[FAILED],
        message=told.get("exception_message", ""),
        trace=told.get("traceback", ""),
        fingerprint=more.get("fingerprint", ""),
        worker=more.get("worker", ""),
        at_ms=to_ms(at),
        started_ms=more.get("started_ms"),
    )


def traceback_of(failure: Failure, number: int) -> dict[str, Any]:
    """A failed attempt, as PgQueuer's own tools read it (`pgqueuer.domain.models.TracebackRecord`)."""
    return {
        "job_id": number,
        "timestamp": datetime.fromtimestamp(failure.at_ms / 1000, UTC).isoformat(),
        "exception_type": failure.error,
        "exception_message": failure.message,
        "traceback": failure.trace,
        "additional_context": {
            "attempt": failure.attempt,
            "fingerprint": failure.fingerprint,
            "worker": failure.worker,
            "started_ms": failure.started_ms,
        },
    }


def bounded_delay_ms(delay_ms: float) -> float:
    """A delay that ends within the times that PostgreSQL and Python know."""
    return min(float(delay_ms), END.timestamp() * 1000 - timestamp_ms())


def to_ms(moment: datetime) -> int:
    """A moment in ms since the epoch."""
    return round(moment.timestamp() * 1000)


def to_moment(ms: float | None) -> datetime | None:
    """The same, backwards."""
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)


def is_storable(name: str) -> bool:
    """Whether a name can be one of a PostgreSQL: it keeps every text but one with a NUL, and no other bytes."""
    return not any(character == "\0" or "\ud800" <= character <= "\udfff" for character in name)
