"""The reads of plain arq's own keys."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from arq.utils import timestamp_ms
from redis.asyncio import Redis

from arqlight.connections.connection import ACTIVE_ROWS
from arqlight.connections.observed.findings import Findings
from arqlight.connections.observed.results import NO_TRACE, Result, failure_of, group_of
from arqlight.errors import JobNotFound
from arqlight.jobs.cursors import START
from arqlight.jobs.filters import ALL, JobFilter
from arqlight.jobs.job import STATES, Job, State, build_job, timeline
from arqlight.jobs.job_detail import JobDetail
from arqlight.jobs.names import read_name
from arqlight.jobs.overview import Overview, QueueFigures
from arqlight.jobs.page_cursors import read_cursor, write_cursor
from arqlight.jobs.queues import queue_name
from arqlight.jobs.reading import Reading
from arqlight.journal.keys import KEYS

MOST_OF_A_QUEUE = 1_000


@dataclass(slots=True)
class _Queue:
    """What stands in a queue now: ids that run, and (id, score) of what waits, the newest first."""

    key: str
    running: list[str] = field(default_factory=list)
    waiting: list[tuple[str, float]] = field(default_factory=list)
    later: list[tuple[str, float]] = field(default_factory=list)
    due: int = 0
    scheduled: int = 0
    oldest_ms: int | None = None


class ObservedReader:
    """Reads what arq keeps. What it found among the results is remembered, so that each is read once."""

    def __init__(self, redis: Redis, name: str) -> None:
        self._redis = redis
        self._name = name
        self._found = Findings(redis)

    async def overview(self, rows: int = ACTIVE_ROWS) -> Overview:
        """Counts and the active list; arq's commands cannot be read in one instant, so they may differ by a job."""
        await self._found.look()
        queues = [await self._queue(key, rows) for key in sorted(self._found.queues, key=queue_name)]
        active = [*_newest([(job, queue) for queue in queues for job in queue.running], "processing")]
        waiting = sorted(((job, queue) for queue in queues for job in queue.waiting), key=lambda each: -each[0][1])
        jobs = await self._jobs([*active, *((job[0], queue.key, "queued", job[1]) for job, queue in waiting)][:rows])
        served = self._served()
        return Overview(
            cursor=START,
            failed=sum(not result.success for result in self._found.results.values()),
            queues=[
                QueueFigures(
                    queue.key,
                    len(queue.running),
                    queue.due - len(queue.running),
                    queue.scheduled,
                    served.get(queue.key, 0),
                    False,
                    queue.oldest_ms,
                )
                for queue in queues
            ],
            workers=sum(served.values()),
            active=jobs,
        )

    async def known_queues(self) -> list[str]:
        """The keys of every queue that was seen."""
        await self._found.look()
        return sorted(self._found.queues)

    async def known_tasks(self) -> dict[str, dict[str, Any]]:
        """The tasks of jobs that ended; none can be enqueued here."""
        await self._found.look()
        found = {(result.task, result.queue) for result in self._found.results.values()}
        return {task: {"queue": queue, "serializer": "pickle"} for task, queue in sorted(found)}

    async def is_settling(self) -> bool:
        """Never: no worker announces anything here."""
        return False

    async def jobs(
        self, *, state: State | None = None, where: JobFilter = ALL, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[Job], str | None]:
        """A page of jobs, newest first within each state, and the next cursor. Raises CursorInvalid."""
        await self._found.look()
        sections = [state] if state else list(STATES)
        at, after = read_cursor(cursor, len(sections))
        found: list[Job] = []
        reading = Reading()
        last: tuple[int, float, str] | None = None
        for place in range(at, len(sections)):
            jobs = sorted(await self._all(sections[place], where), key=lambda job: (_at(job), job.id), reverse=True)
            reading.begin()
            for job in jobs:
                if place == at and after and (_at(job), job.id) >= after:
                    continue
                if last and (len(found) == limit or reading.is_over):
                    return found, write_cursor(last)
                last = (place, _at(job), job.id)
                if _within(where, _at(job)) and where.matches(job):
                    found.append(job)
                await reading.spend()
        return found, None

    async def failed(
        self, *, where: JobFilter = ALL, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of failed jobs, as long as arq keeps their results. Raises CursorInvalid."""
        jobs, following = await self.jobs(state="failed", where=where, limit=limit, cursor=cursor)
        return [_shown(job) for job in jobs], following

    async def failed_by_id(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Those of `ids` that failed, newest first."""
        jobs = [job for job in await self._all("failed", ALL) if job.id in set(ids)]
        return [_shown(job) for job in sorted(jobs, key=_at, reverse=True)]

    async def kept(self, ids: Sequence[str]) -> dict[str, State]:
        """None: nothing can be enqueued here."""
        return {}

    async def count_failed(self, where: JobFilter) -> int | None:
        """How many failed jobs match."""
        jobs = await self._all("failed", where)
        return sum(where.matches(job) and _within(where, _at(job)) for job in jobs)

    async def groups(self, first: int = 0, limit: int = 50) -> tuple[list[dict[str, Any]], int]:
        """Failed jobs by task and error class, the last seen first."""
        await self._found.look()
        causes: dict[str, list[Result]] = {}
        for result in self._found.results.values():
            if not result.success:
                causes.setdefault(result.fingerprint, []).append(result)
        found = sorted(causes.items(), key=lambda each: -max(result.finished_ms for result in each[1]))
        return [group_of(*each) for each in found[first : first + limit]], len(found)

    async def job(self, job_id: str) -> JobDetail:
        """One job, with what arq keeps of its failure. Raises JobNotFound."""
        await self._found.look(now=True)
        result = self._found.results.get(job_id)
        if result is not None:
            job = self._ended(job_id, result)
            failures = [] if result.success else [failure_of(result)]
            return JobDetail(job, failures, timeline(job, failures, []), result.returned, [])
        queues = sorted(self._found.queues)
        async with self._redis.pipeline(transaction=False) as pipe:
            for queue in queues:
                pipe.zscore(queue, job_id)
            scores = await pipe.execute()
        for queue, score in zip(queues, scores, strict=True):
            if score is not None:
                state: State = "scheduled" if score > timestamp_ms() else "queued"
                if await self._redis.exists(KEYS["in_progress"] + job_id):
                    state = "processing"
                [job] = await self._jobs([(job_id, queue, state, score)])
                return JobDetail(job, [], timeline(job, [], []), None, [])
        raise JobNotFound(job_id)

    async def job_json(self, job_id: str) -> dict[str, Any]:
        """One job as the API shows it. Raises JobNotFound."""
        detail = await self.job(job_id)
        return detail.to_json() | _shown(detail.job)

    async def payload(self, job_id: str) -> bytes | None:
        """A job's bytes, in its queue or in its result."""
        found: list[bytes | None] = await self._redis.mget([KEYS["payload"] + job_id, KEYS["result"] + job_id])
        return next((raw for raw in found if raw), None)

    async def workers(self) -> list[dict[str, Any]]:
        """One for each queue that a plain arq worker says it is healthy on; several on one queue write one key."""
        await self._found.look()
        return [_worker(queue, said) for queue, said in sorted(self._found.health.items())]

    async def dead_workers(self) -> list[dict[str, Any]]:
        """arq tells of none."""
        return []

    async def rates(self) -> dict[str, dict[str, Any]]:
        """arq counts nothing."""
        return {}

    async def _queue(self, key: str, rows: int) -> _Queue:
        now = timestamp_ms()
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.zcount(key, "-inf", now)
            pipe.zcard(key)
            pipe.zrangebyscore(key, "-inf", now, start=0, num=100, withscores=True)
            pipe.zrevrangebyscore(key, now, "-inf", start=0, num=rows + 100, withscores=True)
            pipe.zrangebyscore(key, f"({now}", "+inf", start=0, num=rows, withscores=True)
            due, total, oldest, newest, later = await pipe.execute()
        ids = [job_id for job_id, _ in oldest]
        async with self._redis.pipeline(transaction=False) as pipe:
            for job_id in ids:
                pipe.exists(KEYS["in_progress"].encode() + job_id)
            busy = await pipe.execute()
        running = [read_name(job_id) for job_id, is_busy in zip(ids, busy, strict=True) if is_busy]
        waits = [score for (_, score), is_busy in zip(oldest, busy, strict=True) if not is_busy]
        waiting = [(read_name(job_id), score) for job_id, score in newest]
        return _Queue(
            key, running, [each for each in waiting if each[0] not in running],
            [(read_name(job_id), score) for job_id, score in later], due, total - due,
            int(waits[0]) if waits else None,
        )  # fmt: skip

    async def _jobs(self, found: Sequence[tuple[str, str, Any, float]]) -> list[Job]:
        """Jobs from (id, queue, state, score)."""
        if not found:
            return []
        payloads = await self._redis.mget([KEYS["payload"] + job_id for job_id, *_ in found])
        tries = await self._redis.mget([KEYS["tries"] + job_id for job_id, *_ in found])
        jobs, reading = [], Reading()
        for (job_id, queue, state, score), payload, tried in zip(found, payloads, tries, strict=True):
            record = {"attempts": (tried or b"0").decode("utf-8", "replace")}
            job = build_job(job_id, record, payload, queue=queue, state=state, due_ms=score, connection=self._name)
            jobs.append(job)
            await reading.spend(len(payload or b""))
        return jobs

    async def _all(self, state: State, where: JobFilter) -> list[Job]:
        """The jobs of a state; of a queue no more than its ends."""
        if state in ("failed", "succeeded"):
            await self._found.look()
            wanted = state == "succeeded"
            results = self._found.results.items()
            return [self._ended(job_id, result) for job_id, result in results if result.success == wanted]
        found: list[tuple[str, str, Any, float]] = []
        for key in [where.queue] if where.queue in self._found.queues else sorted(self._found.queues):
            queue = await self._queue(str(key), MOST_OF_A_QUEUE)
            if state == "processing":
                found += _newest([(job_id, queue) for job_id in queue.running], "processing")
            elif state in ("queued", "scheduled"):
                jobs = queue.waiting if state == "queued" else queue.later
                found += [(job_id, queue.key, state, score) for job_id, score in jobs]
        return await self._jobs(found)

    def _ended(self, job_id: str, result: Result) -> Job:
        failed = not result.success
        return Job(
            id=job_id,
            queue=result.queue,
            task=result.task,
            state="failed" if failed else "succeeded",
            attempts=result.attempts,
            created_ms=result.enqueued_ms,
            started_ms=result.started_ms,
            finished_ms=result.finished_ms,
            worker=None,
            arguments=result.arguments,
            error=result.error if failed else None,
            message=result.message if failed else None,
            fingerprint=result.fingerprint if failed else None,
            connection=self._name,
        )

    def _served(self) -> dict[str, int]:
        return dict.fromkeys(self._found.health, 1)


def _newest(found: list[tuple[str, _Queue]], state: State) -> list[tuple[str, str, Any, float]]:
    return [(job_id, queue.key, state, 0.0) for job_id, queue in found]


def _shown(job: Job) -> dict[str, Any]:
    trace = {"trace": NO_TRACE} if job.state == "failed" else {}
    return job.to_json() | trace | {"observed": True}


def _worker(queue: str, said: str) -> dict[str, Any]:
    """What arq's health check says: `Nov-24 16:13:37 j_complete=3 j_failed=0 j_retried=0 j_ongoing=1 queued=0`."""
    numbers = dict(part.split("=", 1) for part in said.split() if "=" in part)
    ongoing = numbers.get("j_ongoing", "0")
    return {
        "id": f"plain arq worker of {queue_name(queue)}", "alive": True, "host": None, "pid": 0, "version": None,
        "queues": [queue_name(queue)], "tasks": [], "crons": [], "max_jobs": 0,
        "running": int(ongoing) if ongoing.isdigit() else 0, "jobs": [], "memory_bytes": 0, "aborts": True,
        "started_at": None, "seen_at": None,
    }  # fmt: skip


def _at(job: Job) -> float:
    return float(job.finished_ms or job.due_ms or job.started_ms or 0)


def _within(where: JobFilter, at_ms: float) -> bool:
    return (where.since_ms is None or at_ms >= where.since_ms) and (where.until_ms is None or at_ms <= where.until_ms)
