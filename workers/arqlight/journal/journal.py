"""The state machine: the one door to job state. Every transition is one Lua script; nothing else writes.

The reads that the page and the API stand on are in `reader.py`.
"""

import json
import os
from asyncio import CancelledError
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from arq.constants import expires_extra_ms as arqs_expiry_ms
from arq.jobs import serialize_job, serialize_result
from arq.utils import timestamp_ms
from redis.asyncio import Redis
from redis.exceptions import RedisError

from arqlight.errors import AnnouncementLost, JobExists, JobNotCancellable, JobNotFound, JobNotRetryable
from arqlight.jobs.display import to_moment
from arqlight.jobs.job import Failure
from arqlight.jobs.names import raw_name, read_name
from arqlight.jobs.queues import QUEUE_PREFIX
from arqlight.jobs.serialization import serializer_named
from arqlight.journal import tracing
from arqlight.journal.dedicated_connection import Command, DedicatedConnection
from arqlight.journal.keys import KEYS
from arqlight.journal.scripting import Scripts
from arqlight.settings import Settings

LOST_MESSAGE = "the worker stopped without a word (killed, out of memory, or cut off) while it held this job"
GROUP = 1000  # how many jobs one script looks at
KEEP_NO_RESULT = -1
KEEP_FOREVER = 0


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to enqueue. `queue` is a queue's key; `id` None makes one.

    `expires_ms`, where it is set, is how long after it is due the job may still begin: its arguments are dropped then.
    """

    task: str
    queue: str
    args: Sequence[Any] = ()
    kwargs: dict[str, Any] | None = None
    id: str | None = None
    delay_ms: int = 0
    expires_ms: int | None = None


class Claim(NamedTuple):
    """A job a worker holds: `token` fences it, `attempt` is this run's number.

    `lost` is how many workers died of it, as the journal writes it: "-" for a job that never ran before.
    """

    id: str
    queue: str
    payload: bytes | None
    attempt: int
    token: str
    score: int
    aborted: bool
    lost: str

    @property
    def key(self) -> str:
        """What tells this claim from every other, of the same id too."""
        return f"{self.token} {self.id}"


@dataclass(slots=True)  # not frozen: one is made for every attempt, and freezing triples the cost
class Ending:
    """How an attempt ended, for the journal. `result` is arq's serialized result; `result_ttl_ms` its life.

    `most_uncounted`, above 0, puts the job back with this attempt not counted, unless that happened as often in a row.
    """

    claim: Claim
    task: str
    attempt: int
    kind: Literal["succeeded", "failed", "cancelled", "rescheduled"]
    result: bytes = b""
    result_ttl_ms: int = KEEP_NO_RESULT
    in_progress_ms: int = 0
    failure: Failure | None = None
    delay_ms: int = 0
    most_uncounted: int = 0
    created_ms: int = 0


class Journal:
    """The transitions of the jobs on one server; sent over `line` if there is one, else over the pool."""

    def __init__(self, redis: Redis, settings: Settings, line: DedicatedConnection | None = None) -> None:
        self.redis = redis
        self.settings = settings
        self.scripts = Scripts(redis, settings, line)
        self._serializer = serializer_named(settings.serializer)
        self._rescuer = os.urandom(8).hex()

    async def enqueue(self, jobs: Sequence[NewJob]) -> list[str]:
        """Enqueue all of `jobs` or none; the ids, in order.

        Raises JobExists when an id is taken, arq's SerializationError for arguments that do not pickle.
        """
        return await self.enqueue_prepared(self.prepare(jobs))

    async def enqueue_once(self, job: NewJob) -> bool:
        """Enqueue a job whose id says what it is for; False when it waits, runs or ended already."""
        try:
            await self.enqueue([job])
        except JobExists:
            return False
        return True

    def prepare(self, jobs: Sequence[NewJob]) -> list[str | bytes | int]:
        """What the server is sent for `jobs`. Raises arq's SerializationError for arguments that do not pickle."""
        enqueued_ms = timestamp_ms()
        flat: list[str | bytes | int] = []
        for job in jobs:
            job_id = job.id or os.urandom(16).hex()
            payload = serialize_job(
                job.task, tuple(job.args), job.kwargs or {}, None, enqueued_ms, serializer=self._serializer
            )
            expires_ms = "" if job.expires_ms is None else job.expires_ms
            flat += (job_id, job.queue, job.task, payload, job.delay_ms, expires_ms)
        return flat

    async def enqueue_prepared(self, flat: list[str | bytes | int]) -> list[str]:
        """Enqueue all of what `prepare` gave or none; the ids, in order. Raises JobExists."""
        ids = [str(job_id) for job_id in flat[::6]]
        with tracing.enqueue_span([str(task) for task in flat[2::6]] if tracing.is_on() else ()) as traceparent:
            if traceparent:
                await tracing.carry(self.redis, ids, traceparent)
            taken = [read_name(job_id) for job_id in await self.scripts.run("enqueue", *flat)]
            if taken:
                raise JobExists(taken)
        return ids

    async def claim(
        self,
        worker: str,
        queues: Sequence[str],
        slots: int,
        hold_ms: int,
        honours_abort: bool,
        shares: Sequence[int] | None = None,
        keeps_to_own: bool | None = None,
    ) -> tuple[list[Claim], bool]:
        """Take up to `slots` due jobs from `queues`, the first queue first; a job taken is nobody else's.

        A job whose task the worker has not announced is left to a living worker that has; where none is, it is taken
        all the same, unless the worker `keeps_to_own` tasks. One that announces none takes whatever is there (None).
        Taken jobs stay out of their queue for `hold_ms`: by then `renew` has to come. Raises AnnouncementLost where the
        server lost what the worker announced: it has to do that again.

        With `shares`, each queue gives up to its share first; what is left then goes to the queues in order.
        Also tells whether due jobs are left that another claim could take.
        """
        turns: list[str | int] = []
        for queue, share in zip(queues, shares or [slots] * len(queues), strict=True):
            turns += [queue, share]
        left, token, *flat = await self.scripts.run(
            "claim",
            worker,
            slots,
            hold_ms,
            int(honours_abort),
            "" if keeps_to_own is None else int(keeps_to_own),
            *turns,
        )
        if left == 2:
            raise AnnouncementLost(f"the server knows nothing of worker {worker}")
        token = read_name(token)
        claims = [
            Claim(
                read_name(job_id),
                read_name(queue),
                payload,
                attempt,
                token,
                to_moment(score),
                aborted == 1,
                read_name(lost),
            )
            for job_id, queue, payload, attempt, score, aborted, lost in zip(*[iter(flat)] * 7, strict=True)
        ]
        return claims, left == 1

    async def renew(self, worker: str, claims: Sequence[Claim], hold_ms: int) -> None:
        """Hold those that `worker` still has for as long again, and tell arq's clients that they are in progress."""
        flat = [part for claim in claims for part in (raw_name(claim.id), claim.token)]
        await self.scripts.run("renew", worker, hold_ms, *flat)

    async def give_back(self, worker: str, known: Iterable[Claim]) -> int:
        """Put back what `worker` holds but is not in `known`, its attempt not counted; how many went back."""
        flat = [part for claim in known for part in (raw_name(claim.id), claim.token)]
        return int(await self.scripts.run("give_back", worker, *flat))

    async def recalled(self, worker: str) -> list[tuple[str, str]]:
        """Which of the jobs that `worker` runs were called off, as id and token; each is told once."""
        told = map(read_name, await self.scripts.run("recall", worker))
        return list(zip(told, told, strict=True))

    async def ring(self, queue: str) -> None:
        """Pass on a token of `queue` that came to a worker which cannot take a job."""
        await self.redis.rpush(KEYS["bell"] + queue, queue)  # type: ignore[misc]

    async def limit_queues(self, limits: Mapping[str, tuple[int | None, int | None]]) -> None:
        """Let at most so many jobs of a queue (by its key) run at once, over all workers.

        :param limits: for each queue what is set on the page, and what this worker declares; None for nothing. What
            another living worker declares stays.
        """
        flat = [part for queue, (chosen, declared) in limits.items() for part in (queue, chosen or "", declared or "")]
        await self.scripts.run("limit_queues", *flat)

    async def announce(
        self,
        worker: str,
        queues: Sequence[str],
        tasks: Mapping[str, Mapping[str, Any]],
        record: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Make known which queues a worker takes from, which tasks it has, as in `announce_tasks`, and what it is."""
        about = [part for name, each in tasks.items() for part in (raw_name(name), json.dumps(each))]
        fields = [part for pair in record.items() for part in pair]
        await self.scripts.run("announce", worker, len(queues), *map(raw_name, queues), len(tasks), *about, *fields)

    async def commit(self, worker: str, endings: Sequence[Ending]) -> None:
        """Write down how a group of attempts ended: all that succeeded in one script, each other in its own.

        A script that is refused does not hold back those behind it; the refusal is raised at the end.

        An ending whose claim is no longer the worker's own (it was rescued meanwhile) changes nothing.
        """
        finished: list[str | bytes | int] = []
        for ending in endings:
            claim = ending.claim
            if ending.kind == "succeeded":
                finished += [
                    raw_name(claim.id), claim.token, raw_name(claim.queue), ending.attempt, claim.lost, ending.task,
                    ending.created_ms or claim.score, ending.result, ending.result_ttl_ms, ending.in_progress_ms,
                ]  # fmt: skip
        if finished:
            await self.scripts.run("finish", worker, *finished)
        others = [self._ending_call(worker, ending) for ending in endings if ending.kind != "succeeded"]
        if others:
            await self.scripts.run_all(others)

    @staticmethod
    def _ending_call(worker: str, ending: Ending) -> tuple[str, Command]:
        """The script, and what it is sent, for an attempt that did not succeed."""
        claim, failure = ending.claim, ending.failure
        held = (worker, raw_name(claim.id), claim.token, ending.task, ending.created_ms or claim.score)
        kept = (ending.result, ending.result_ttl_ms, ending.in_progress_ms)
        if ending.kind == "rescheduled":
            entry = failure.to_entry() if failure else ""
            return "reschedule", (*held, ending.attempt, ending.most_uncounted, ending.delay_ms, entry)
        if ending.kind == "cancelled":
            return "cancel", (*held, *kept)
        assert failure is not None  # noqa: S101 - a failed ending is built with its failure
        last = (failure.error, failure.message, failure.fingerprint)
        return "fail", (*held, *kept, ending.attempt, failure.to_entry(), *last)

    async def answers(self) -> bool:
        """Whether the server answers at all now."""
        try:
            return bool(await self.scripts.ping())
        except RedisError:
            return False

    async def retry(self, job_id: str, until_ms: int | None = None) -> None:
        """Put a failed job back into its queue, its bytes unread, with 0 attempts.

        With `until_ms`, only when it failed no later than that: a job that failed again since is left alone.

        Raises JobNotFound when it is not in the failed list, JobNotRetryable when its bytes or its id are not free.
        """
        entry = json.dumps({"kind": "retried", "at": timestamp_ms()})
        limit = () if until_ms is None else (until_ms,)
        answer = read_name(await self.scripts.run("retry", job_id, entry, *limit))
        if answer in ("missing", "newer"):
            raise JobNotFound(job_id, "in the failed list")
        if answer == "expired":
            raise JobNotRetryable(f"job {job_id!r} expired before it ran and its arguments are gone; enqueue it anew")
        if answer == "taken":
            raise JobNotRetryable(f"a newer job with id {job_id!r} waits or runs already; nothing to retry")

    async def delete(self, job_id: str, until_ms: int | None = None) -> None:
        """Remove a failed job permanently; with `until_ms`, only when it failed no later than that.

        Raises JobNotFound when it is not in the failed list.
        """
        if not await self.scripts.run("delete", job_id, *(() if until_ms is None else (until_ms,))):
            raise JobNotFound(job_id, "in the failed list")

    async def cancel(self, job_id: str, queue: str, task: str, created_ms: int | None = None) -> bool:
        """Call a job off: True when it waited and is cancelled, False when it runs and its worker was asked to abort.

        `Job.result()` of a cancelled job raises CancelledError, as after arq's own `Job.abort()`.
        Raises JobNotCancellable when it neither waits nor runs.
        """
        at_ms = timestamp_ms()
        created_ms = created_ms or at_ms
        result = serialize_result(
            task,
            (),
            {},
            0,
            at_ms,
            False,
            CancelledError(),
            at_ms,
            at_ms,
            f"{job_id}:{task}",
            queue,
            job_id,
            serializer=self._serializer,
        )
        answer = await self.scripts.run("cancel", "", job_id, "", task, created_ms, result or b"", 3_600_000, 0, queue)
        if not answer:
            raise JobNotCancellable(f"job {job_id!r} neither waits nor runs; there is nothing to cancel")
        return bool(answer == 1)

    async def pause(self, queue: str, paused: bool) -> bool:
        """Let no worker of ours claim from a queue (by key), or let them again; whether that changed anything."""
        changed = bool(await self.scripts.run("pause", queue, int(paused)))
        if paused:
            await self._preserve(queue)
        return changed

    async def look_after_queues(self) -> None:
        """Keep the arguments of what waits, and the list of queues that hold jobs; to be called every few seconds."""
        await self.preserve()
        await self.find_active_queues()

    async def preserve(self) -> None:
        """Keep the arguments of what waits (`preserve.lua`). To be called now and then: one of all callers does it."""
        for key, turn_s, queues in (("preserved_paused", 30, "paused"), ("preserved", 600, "queues")):
            if await self.redis.set(KEYS[key], "1", nx=True, ex=turn_s):
                for queue in await self.redis.smembers(KEYS[queues]):  # type: ignore[misc]
                    await self._preserve(queue)

    async def find_active_queues(self) -> None:
        """See which of many queues hold jobs (`find_active_queues.lua`). To be called now and then, like `preserve`."""
        if await self.redis.set(KEYS["looked_for_queues"], "1", nx=True, ex=10):
            place: str | bytes = "0"
            while read_name(place := await self.scripts.run("find_active_queues", place, QUEUE_PREFIX)) != "0":
                pass

    async def _preserve(self, queue: str | bytes) -> None:
        place = 0
        while place >= 0:
            place = int(await self.scripts.run("preserve", queue, place, GROUP, arqs_expiry_ms))

    async def empty(self, queue: str, most: int) -> int:
        """Remove up to `most` jobs that wait in a queue (by key), due or scheduled; how many went."""
        return int(await self.scripts.run("empty", queue, most))

    async def rescue(self, asks_for_ms: int | None = None) -> int:
        """Return the jobs of dead workers to their queues; how many came back.

        To be called every few seconds: nothing comes back before the server has answered us for
        `asks_for_ms`, a lease's time.
        """
        rescued = 0
        who = (
            "WorkerLost",
            LOST_MESSAGE,
            "WorkerLost",
            self._rescuer,
            *(() if asks_for_ms is None else (asks_for_ms,)),
        )
        while came_back := int(await self.scripts.run("rescue", GROUP, *who)):
            rescued += came_back
        return rescued

    async def leave(self, worker: str) -> None:
        """Take a worker off the list. What it still holds goes back; a claim that comes late gets nothing."""
        await self.scripts.run("leave", worker)

    async def announce_tasks(self, tasks: dict[str, dict[str, Any]]) -> None:
        """Make tasks known to those that enqueue by name: task -> `{"queue": key, "serializer": "pickle"|"custom"}`."""
        mapping = {name: json.dumps(about) for name, about in tasks.items()}
        await self.redis.hset(KEYS["tasks"], mapping=mapping)  # type: ignore[misc]

    async def announce_queues(self, queues: Sequence[str]) -> None:
        """Make queues known to the readers; they may hold jobs."""
        if queues:
            await self.redis.sadd(KEYS["queues"], *queues)  # type: ignore[misc]
            await self.redis.sadd(KEYS["active_queues"], *queues)  # type: ignore[misc]
