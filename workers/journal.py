"""The state machine: the one door to job state. Every transition is one Lua script; nothing else writes.

The reads that the page and the API stand on are in `reading.py`.
"""

import json
from asyncio import CancelledError
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

from arq.constants import expires_extra_ms
from arq.jobs import serialize_job, serialize_result
from arq.utils import timestamp_ms
from redis.asyncio import Redis

from workers.errors import JobExists, JobNotCancellable, JobNotFound, JobNotRetryable
from workers.job import Failure
from workers.keys import KEYS
from workers.scripting import Scripts
from workers.settings import Settings

LOST_MESSAGE = "the worker stopped without a word (killed, out of memory, or cut off) while it ran this job"
KEEP_NO_RESULT = -1
KEEP_FOREVER = 0


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to enqueue. `queue` is a queue's key; `id` None makes one; the job expires as arq's do."""

    task: str
    queue: str
    args: Sequence[Any] = ()
    kwargs: dict[str, Any] | None = None
    id: str | None = None
    delay_ms: int = 0
    expires_ms: int = expires_extra_ms


@dataclass(frozen=True, slots=True)
class Claim:
    """A job a worker holds: `token` fences it, `attempt` is this run's number, `lost` how many workers died of it."""

    id: str
    queue: str
    payload: bytes | None
    attempt: int
    token: str
    score: int
    aborted: bool
    lost: int


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended, for the journal. `result` is arq's serialized result; `result_ttl_ms` its life."""

    claim: Claim
    task: str
    attempt: int
    kind: Literal["succeeded", "failed", "cancelled", "rescheduled"]
    result: bytes = b""
    result_ttl_ms: int = KEEP_NO_RESULT
    in_progress_ms: int = 0
    failure: Failure | None = None
    delay_ms: int = 0
    counts: bool = True


class Journal:
    """The transitions of the jobs on one server."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        self.redis = redis
        self.settings = settings
        self.scripts = Scripts(redis, settings)

    async def enqueue(self, jobs: Sequence[NewJob]) -> list[str]:
        """Enqueue all of `jobs` or none; the ids, in order.

        Raises JobExists when an id is taken, arq's SerializationError for arguments that do not pickle.
        """
        enqueued_ms = timestamp_ms()
        ids: list[str] = []
        flat: list[str | bytes | int] = []
        for job in jobs:
            job_id = job.id or uuid4().hex
            payload = serialize_job(job.task, tuple(job.args), job.kwargs or {}, None, enqueued_ms)
            ids.append(job_id)
            flat += [job_id, job.queue, job.task, payload, job.delay_ms, job.expires_ms]
        taken = [_text(job_id) for job_id in await self.scripts.run("enqueue", *flat)]
        if taken:
            raise JobExists(taken)
        return ids

    async def claim(
        self, worker: str, queues: Sequence[str], slots: int, lease_ms: int, honours_abort: bool
    ) -> tuple[list[Claim], int | None]:
        """Take up to `slots` due jobs from `queues`, the first queue first; a job taken is nobody else's.

        Also tells in how many ms the next scheduled job of these queues is due, None when none is.
        """
        next_due_ms, *flat = await self.scripts.run("claim", worker, slots, lease_ms, int(honours_abort), *queues)
        claims = [
            Claim(
                id=_text(flat[i]),
                queue=_text(flat[i + 1]),
                payload=flat[i + 2],
                attempt=int(flat[i + 3]),
                token=_text(flat[i + 4]),
                score=int(float(flat[i + 5])),
                aborted=bool(flat[i + 6]),
                lost=int(flat[i + 7]),
            )
            for i in range(0, len(flat), 8)
        ]
        return claims, next_due_ms if next_due_ms >= 0 else None

    async def commit(self, worker: str, endings: Sequence[Ending]) -> None:
        """Write down how a group of attempts ended: all that succeeded in one script, each other in its own.

        An ending whose claim is no longer the worker's own (it was rescued meanwhile) changes nothing.
        """
        finished: list[str | bytes | int] = []
        for ending in endings:
            claim = ending.claim
            if ending.kind == "succeeded":
                finished += [
                    claim.id, claim.token, ending.task, ending.result, ending.result_ttl_ms, ending.in_progress_ms,
                ]  # fmt: skip
        if finished:
            await self.scripts.run("finish", worker, *finished)
        for ending in endings:
            if ending.kind != "succeeded":
                await self._commit_other(worker, ending)

    async def _commit_other(self, worker: str, ending: Ending) -> None:
        claim, failure = ending.claim, ending.failure
        held = (worker, claim.id, claim.token, ending.task)
        kept = (ending.result, ending.result_ttl_ms, ending.in_progress_ms)
        if ending.kind == "rescheduled":
            tries = ending.attempt if ending.counts else ending.attempt - 1
            entry = failure.to_entry() if failure else ""
            await self.scripts.run("reschedule", *held, ending.attempt, tries, ending.delay_ms, entry)
        elif ending.kind == "cancelled":
            await self.scripts.run("cancel", *held, *kept)
        else:
            assert failure is not None  # noqa: S101 - a failed ending is built with its failure
            last = (failure.error, failure.message, failure.fingerprint)
            await self.scripts.run("fail", *held, *kept, ending.attempt, failure.to_entry(), *last)

    async def retry(self, job_id: str) -> None:
        """Put a failed job back into its queue, its bytes unread, with 0 attempts.

        Raises JobNotFound when it is not in the failed list, JobNotRetryable when its bytes or its id are not free.
        """
        entry = json.dumps({"kind": "retried", "at": timestamp_ms()})
        answer = _text(await self.scripts.run("retry", job_id, expires_extra_ms, entry))
        if answer == "missing":
            raise JobNotFound(job_id, "in the failed list")
        if answer == "expired":
            raise JobNotRetryable(f"job {job_id!r} expired before it ran and its arguments are gone; enqueue it anew")
        if answer == "taken":
            raise JobNotRetryable(f"a newer job with id {job_id!r} waits or runs already; nothing to retry")

    async def delete(self, job_id: str) -> None:
        """Remove a failed job for good. Raises JobNotFound when it is not in the failed list."""
        if not await self.scripts.run("delete", job_id):
            raise JobNotFound(job_id, "in the failed list")

    async def cancel(self, job_id: str, queue: str, task: str) -> bool:
        """Call a job off: True when it waited and is cancelled, False when it runs and its worker was asked to abort.

        `Job.result()` of a cancelled job raises CancelledError, as after arq's own `Job.abort()`.
        Raises JobNotCancellable when it neither waits nor runs.
        """
        at_ms = timestamp_ms()
        result = serialize_result(
            task, (), {}, 0, at_ms, False, CancelledError(), at_ms, at_ms, f"{job_id}:{task}", queue, job_id
        )
        answer = await self.scripts.run("cancel", "", job_id, "", task, result or b"", 3_600_000, 0, queue)
        if not answer:
            raise JobNotCancellable(f"job {job_id!r} neither waits nor runs; there is nothing to cancel")
        return bool(answer == 1)

    async def rescue(self) -> int:
        """Return the jobs of dead workers to their queues; how many came back."""
        rescued = 0
        while came_back := int(await self.scripts.run("rescue", 1000, "WorkerLost", LOST_MESSAGE, "WorkerLost")):
            rescued += came_back
        return rescued

    async def leave(self, worker: str) -> None:
        """Take a worker off the list; what it still holds is rescued at once."""
        await self.scripts.run("leave", worker)

    async def announce_tasks(self, tasks: dict[str, dict[str, Any]]) -> None:
        """Make tasks known to those that enqueue by name: task -> `{"queue": key, "serializer": "pickle"|"custom"}`."""
        mapping = {name: json.dumps(about) for name, about in tasks.items()}
        await self.redis.hset(KEYS["tasks"], mapping=mapping)  # type: ignore[misc]

    async def announce_queues(self, queues: Sequence[str]) -> None:
        """Make queues known to the readers."""
        if queues:
            await self.redis.sadd(KEYS["queues"], *queues)  # type: ignore[misc]


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
