"""What a job is, and how arq's bytes and the journal's record become one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from arqlight.jobs.display import as_json, iso, to_moment
from arqlight.jobs.masking import secrets_in_call
from arqlight.jobs.names import read_name, shown_name
from arqlight.jobs.queues import queue_name
from arqlight.jobs.secret_texts import hide_within
from arqlight.jobs.serialization import look_into

State = Literal["scheduled", "queued", "processing", "succeeded", "failed", "cancelled"]
STATES: tuple[State, ...] = ("processing", "queued", "scheduled", "failed", "succeeded", "cancelled")
LONGEST_SUMMARY = 100
LARGEST_WHOLE = 2**63
UNKNOWN_TASK = "(task not readable)"


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt. `at_ms` is when it ended; `trace` the whole stack trace, bounded."""

    attempt: int
    error: str
    message: str
    trace: str
    fingerprint: str
    worker: str
    at_ms: int
    started_ms: int | None = None

    def to_entry(self) -> str:
        """The line the journal keeps in a job's history."""
        return json.dumps(
            {
                "kind": "failure",
                "attempt": self.attempt,
                "error": self.error,
                "message": self.message,
                "trace": self.trace,
                "fingerprint": self.fingerprint,
                "worker": self.worker,
                "at": self.at_ms,
                "started": self.started_ms,
            }
        )

    def to_json(self) -> dict[str, Any]:
        """As the API and the feed show it."""
        return {
            "attempt": self.attempt,
            "error": self.error,
            "message": self.message,
            "trace": self.trace,
            "fingerprint": self.fingerprint,
            "worker": self.worker,
            "started_at": iso(self.started_ms) if self.started_ms else None,
            "failed_at": iso(self.at_ms),
        }


@dataclass(frozen=True, slots=True)
class Arguments:
    """What arq's serialized job says, read without running it. `problem` tells why it could not be.

    `secrets` are the values that are masked in it, and wherever else they stand of this job.
    """

    task: str = ""
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    enqueued_ms: int | None = None
    problem: str | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def summary(self) -> str:
        """The arguments as one short line, as a call would write them."""
        if self.problem:
            return ""
        shown = [repr(arg) for arg in self.args] + [f"{name}={value!r}" for name, value in self.kwargs.items()]
        line = " ".join(", ".join(shown).split())
        return line if len(line) <= LONGEST_SUMMARY else line[: LONGEST_SUMMARY - 1] + "…"


def read_call(payload: bytes) -> tuple[str, list[Any], dict[Any, Any], int]:
    """Task, arguments and the time (ms) of arq's bytes, as they are. Raises ValueError, or whatever bytes may raise."""
    data = look_into(payload)
    args, kwargs = data["a"], data["k"]
    if not isinstance(args, list | tuple) or not isinstance(kwargs, dict):
        raise TypeError("arguments are a list and a dict")
    return read_text(data["f"]), list(args), dict(kwargs), read_whole(data["et"])


def read_text(value: Any) -> str:
    """A name as arq writes it. Raises TypeError: never `str()` of anything else, which may not end."""
    if not isinstance(value, str):
        raise TypeError(f"a {type(value).__name__} where a name should be")
    return value


def read_whole(value: Any) -> int:
    """A count or time as arq writes it. Raises TypeError; ValueError for one that no server keeps.

    Never `int()` of anything else: a Decimal of ten bytes may stand for a number of a million digits.
    """
    if not isinstance(value, int | float):
        raise TypeError(f"a {type(value).__name__} where a number should be")
    if not abs(value) < LARGEST_WHOLE:
        raise ValueError("a number out of range")
    return int(value)


def read_arguments(payload: bytes | None) -> Arguments:
    """arq's bytes ({'t', 'f', 'a', 'k', 'et'}, see `arq.jobs.serialize_job`) as plain values; never raises."""
    if not payload:
        return Arguments(problem="the arguments are no longer kept")
    try:
        task, args, kwargs, enqueued_ms = read_call(payload)
        secrets = secrets_in_call(args, kwargs)
        return Arguments(task.encode("utf-8", "replace").decode(), as_json(args, secrets), as_json(kwargs, secrets),
                         enqueued_ms, secrets=secrets)  # fmt: skip
    except Exception as error:  # the bytes are anyone's: whatever is wrong with them is said, not raised
        reason = str(error) if isinstance(error, ValueError) else f"not arq's layout: {type(error).__name__}"
        return Arguments(problem=f"the arguments cannot be shown: {reason}")


@dataclass(frozen=True, slots=True)
class Job:
    """A job as a reader sees it. Times are ms since the epoch."""

    id: str
    queue: str
    task: str
    state: State
    attempts: int
    created_ms: int | None
    started_ms: int | None
    finished_ms: int | None
    worker: str | None
    arguments: Arguments
    due_ms: int | None = None
    error: str | None = None
    message: str | None = None
    fingerprint: str | None = None
    repeats: int = 0
    connection: str = "default"
    driver: str = "redis"
    progress: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The job of the API and the feed, in the consumers' words."""
        shown: dict[str, Any] = {
            "id": shown_name(self.id),
            "connection": self.connection,
            "driver": self.driver,
            "queue": queue_name(self.queue),
            "task": self.task,
            "state": self.state,
            "attempts": self.attempts,
            "created_at": _iso(self.created_ms),
            "started_at": _iso(self.started_ms),
            "finished_at": _iso(self.finished_ms),
            "due_at": _iso(self.due_ms),
            "worker": self.worker,
            "args": self.arguments.args,
            "kwargs": self.arguments.kwargs,
            "arguments_problem": self.arguments.problem,
            "summary": self.arguments.summary(),
            "progress": hide_within(self.progress, self.arguments.secrets),
        }
        if self.state == "failed":
            shown |= {
                "error": self.error,
                "message": hide_within(self.message, self.arguments.secrets),
                "fingerprint": self.fingerprint,
                "failed_at": _iso(self.finished_ms),
                "repeats": self.repeats,
            }
        return shown


def build_job(
    job_id: str,
    record: Mapping[str, str],
    payload: bytes | None,
    *,
    queue: str | None = None,
    state: State | None = None,
    due_ms: float | None = None,
    progress: bytes | None = None,
    connection: str = "default",
) -> Job:
    """A job from the journal's record (may be empty: a plain arq client's job), its bytes, and where it was found."""
    arguments = read_arguments(payload)
    return Job(
        id=job_id,
        queue=queue or record.get("queue", ""),
        task=record.get("task") or arguments.task or UNKNOWN_TASK,
        state=state or record.get("state", "queued"),  # type: ignore[arg-type]
        attempts=int(record.get("attempts", 0)),
        created_ms=_number(record.get("created_at")) or arguments.enqueued_ms,
        started_ms=_number(record.get("started_at")),
        finished_ms=_number(record.get("finished_at")),
        worker=record.get("worker"),
        arguments=arguments,
        due_ms=None if due_ms is None else int(due_ms),
        error=record.get("error"),
        message=record.get("message"),
        fingerprint=record.get("fingerprint"),
        repeats=int(record.get("repeats", 0)),
        progress=json.loads(progress) if progress else None,
        connection=connection,
    )


def read_record(raw: Mapping[bytes, bytes] | Sequence[bytes]) -> dict[str, str]:
    """A hash as the server gives it (a mapping, or names and values by turns), as text."""
    pairs = raw.items() if isinstance(raw, Mapping) else zip(raw[::2], raw[1::2], strict=True)
    return {name.decode(): _told(name.decode(), value) for name, value in pairs}


def read_line(line: bytes) -> dict[str, str]:
    """The line the journal keeps of a running or succeeded job (see prologue.lua), as a record."""
    worker, token, attempts, _, created_at, finished_at, size, rest = line.split(b" ", 7)
    queue, task = rest[: int(size)], rest[int(size) + 1 :]
    told = b"processing" if finished_at == b"-" else b"succeeded"
    record = {"state": told, "queue": queue, "task": task, "attempts": attempts, "created_at": created_at,
              "started_at": token[:-3], "finished_at": finished_at, "worker": worker}  # fmt: skip
    return {name: _told(name, value) for name, value in record.items() if value != b"-"}


def read_history(entries: list[bytes]) -> tuple[list[Failure], list[int]]:
    """A job's history, newest first, as its failures and the times (ms) of its retries by hand."""
    failures: list[Failure] = []
    retries: list[int] = []
    for entry in map(json.loads, entries):
        if entry["kind"] == "retried":
            retries.append(entry["at"])
            continue
        failures.append(
            Failure(
                attempt=entry["attempt"],
                error=entry["error"],
                message=entry["message"],
                trace=entry["trace"],
                fingerprint=entry["fingerprint"],
                worker=entry["worker"],
                at_ms=entry["at"],
                started_ms=entry.get("started"),
            )
        )
    return failures, retries


def timeline(job: Job, failures: list[Failure], retries: list[int]) -> list[dict[str, Any]]:
    """What happened to a job, oldest first: `{"at", "what", "attempt", "worker", "detail"}`."""
    steps: list[tuple[int, str, int | None, str | None, str | None]] = []
    if job.created_ms is not None:
        steps.append((job.created_ms, "created", None, None, None))
    for failure in failures:
        if failure.started_ms:
            steps.append((failure.started_ms, "started", failure.attempt, failure.worker, None))
        steps.append((failure.at_ms, "failed", failure.attempt, failure.worker, failure.error))
    steps += [(at, "retried manually", None, None, None) for at in retries]
    told = {failure.started_ms for failure in failures}
    if job.started_ms is not None and job.started_ms not in told and job.state in ("processing", "succeeded"):
        steps.append((job.started_ms, "started", job.attempts, job.worker, None))
    if job.finished_ms is not None and job.state in ("succeeded", "failed", "cancelled"):
        steps.append((job.finished_ms, job.state, None, None, None))
    steps.sort(key=lambda step: step[0])
    return [
        {"at": iso(at), "what": what, "attempt": attempt, "worker": worker, "detail": detail}
        for at, what, attempt, worker, detail in steps
    ]


def _told(field: str, value: bytes) -> str:
    """A field of a record: a queue goes back to the server as it was, the rest is only shown."""
    return read_name(value) if field == "queue" else value.decode("utf-8", "replace")


def _number(text: str | None) -> int | None:
    return to_moment(text) if text else None


def _iso(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)
