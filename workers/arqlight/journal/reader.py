"""The reads: counts, active jobs, lists by state, one job, queues, workers. They write nothing."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from arq.utils import timestamp_ms
from redis.asyncio import Redis

from arqlight.errors import JobNotFound
from arqlight.jobs.budget import SHOWN
from arqlight.jobs.display import as_json, to_moment
from arqlight.jobs.filters import ALL, JobFilter
from arqlight.jobs.job import (
    STATES,
    Job,
    State,
    build_job,
    read_history,
    read_line,
    read_record,
    read_text,
    read_whole,
    timeline,
)
from arqlight.jobs.job_detail import JobDetail
from arqlight.jobs.names import raw_name, read_name
from arqlight.jobs.overview import Overview, QueueFigures
from arqlight.jobs.page_cursors import read_cursor, write_cursor
from arqlight.jobs.queues import queue_name
from arqlight.jobs.reading import Reading
from arqlight.jobs.serialization import look_into
from arqlight.journal.counters import read_rates
from arqlight.journal.groups import read_groups
from arqlight.journal.keys import KEYS
from arqlight.journal.scripting import Scripts
from arqlight.journal.worker_list import read_dead_workers, read_workers
from arqlight.settings import Settings

ACTIVE_ROWS = 10
BATCH = 200
MOST_STRANDED = 5
Read = tuple[dict[str, str], bytes | None, bool]  # of a job: its record, its bytes, whether arq says that it runs
_INDEXED = ("failed", "succeeded", "cancelled")  # states whose jobs stand in a sorted set of that name


class Reader:
    """Reads job state of one server for people and programmes, who know it as the connection `name`."""

    def __init__(self, redis: Redis, settings: Settings, name: str = "default") -> None:
        self.redis = redis
        self.name = name
        self.scripts = Scripts(redis, settings)

    async def overview(self, rows: int = ACTIVE_ROWS) -> Overview:
        """Counts and the active list, consistent with each other."""
        _, cursor, failed, queues, workers, active = await self.scripts.run("overview", rows, SHOWN.size)
        served: dict[str, int] = {}
        for _, keys in workers:
            for key in json.loads(keys or b"[]"):
                served[key] = served.get(key, 0) + 1
        return Overview(
            cursor=cursor.decode(),
            failed=int(failed),
            queues=sorted(
                (
                    QueueFigures(
                        read_name(key),
                        running,
                        waiting,
                        later,
                        served.get(read_name(key), 0),
                        paused == 1,
                        to_moment(oldest) if oldest else None,
                    )
                    for key, running, waiting, later, paused, oldest in queues
                ),
                key=lambda queue: queue_name(queue.key),
            ),
            workers=len(workers),
            active=[
                build_job(
                    read_name(job_id),
                    read_record(record),
                    payload or None,
                    queue=read_name(queue),
                    state=state.decode(),
                    progress=progress,
                    connection=self.name,
                )
                for job_id, queue, state, payload, record, progress in active
            ],
        )

    async def known_queues(self) -> list[str]:
        """The keys of every queue that was seen."""
        members: set[bytes] = await self.redis.smembers(KEYS["queues"])  # type: ignore[misc]
        return sorted(read_name(key) for key in members)

    async def known_tasks(self) -> dict[str, dict[str, Any]]:
        """Every task a worker announced: name -> `{"queue", "serializer"}`."""
        announced: dict[bytes, bytes] = await self.redis.hgetall(KEYS["tasks"])  # type: ignore[misc]
        return {name.decode("utf-8", "replace"): json.loads(about) for name, about in announced.items()}

    async def is_settling(self) -> bool:
        """Whether what workers announced was lost, not long ago."""
        return bool(await self.redis.exists(KEYS["settling"]))

    async def jobs(
        self,
        *,
        state: State | None = None,
        where: JobFilter = ALL,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[list[Job], str | None]:
        """A page of jobs, newest first within each state and queue (scheduled: soonest first), and the next cursor.

        A filter that matches little must not read a million jobs at once: the page is then short, with a cursor (see
        `reading.Reading`). Raises CursorInvalid.
        """
        sections = [
            (name, lane)
            for name in ([state] if state else STATES)
            for lane in ([None] if name in _INDEXED else [where.queue] if where.queue else await self.known_queues())
        ]
        at, after = read_cursor(cursor, len(sections))
        # One job more than the page shows tells whether there is another page.
        batch_size = BATCH if where.is_narrow else min(limit + 1, BATCH)
        found: list[Job] = []
        reading = Reading()
        last: tuple[int, float, str] | None = None
        for place in range(at, len(sections)):
            section_state, lane = sections[place]
            async for batch in self._walk(section_state, lane, where, after if place == at else None, batch_size):
                read = await self._read_records(section_state, batch)
                reading.begin()
                for (job_id, score), about in zip(batch, read, strict=True):
                    if last and (len(found) == limit or reading.is_over):
                        return found, write_cursor(last)
                    job = self._build(section_state, lane, job_id, score, about)
                    last = (place, score, job_id)
                    if job is not None and where.matches(job):
                        found.append(job)
                    await reading.spend(len(about[1] or b""))
        return found, None

    async def failed(
        self, *, where: JobFilter = ALL, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of failed jobs with their traces, newest first, and the next cursor. Raises CursorInvalid."""
        jobs, following = await self.jobs(state="failed", where=where, limit=limit, cursor=cursor)
        return await self.with_traces(jobs), following

    async def with_traces(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        """Failed jobs as JSON, each with the stack trace of its last attempt."""
        async with self.redis.pipeline(transaction=False) as pipe:
            for job in jobs:
                pipe.lrange(KEYS["history"] + job.id, 0, 0)
            newest = await pipe.execute()
        shown = []
        for job, entries in zip(jobs, newest, strict=True):
            failures, _ = read_history(entries)
            shown.append(job.to_json() | {"trace": failures[0].trace if failures else ""})
        return shown

    async def failed_by_id(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Those of `ids` that are in the failed list now, newest first, as `failed` shows them."""
        if not ids:
            return []
        scores = await self.redis.zmscore(KEYS["failed"], list(ids))
        batch = [(job_id, score) for job_id, score in zip(ids, scores, strict=True) if score is not None]
        batch.sort(key=lambda entry: entry[1], reverse=True)
        read = await self._read_records("failed", batch)
        jobs = [self._build("failed", None, *entry, about) for entry, about in zip(batch, read, strict=True)]
        return await self.with_traces([job for job in jobs if job is not None])

    async def kept(self, ids: Sequence[str]) -> dict[str, State]:
        """Those of `ids` whose job failed or was cancelled."""
        found: dict[str, State] = {}
        states: tuple[State, ...] = ("failed", "cancelled")
        for state in states if ids else ():
            scores = await self.redis.zmscore(KEYS[state], list(ids))
            found |= {job_id: state for job_id, score in zip(ids, scores, strict=True) if score is not None}
        return found

    async def job(self, job_id: str) -> JobDetail:
        """One job with all that is kept of it. Raises JobNotFound."""
        answer = await self.scripts.run("inspect", job_id)
        now, raw_record, waiting, kept, result, history, busy, place, score, progress, lines = answer
        record = read_record(raw_record)
        state: State | None = record.get("state")  # type: ignore[assignment]
        queue = read_name(place) if place else record.get("queue")
        due_ms: float | None = None
        if state in (None, "queued", "scheduled"):
            if score is not None:
                due_ms = float(score)
                state = "processing" if busy else "scheduled" if due_ms > now else "queued"
            elif result is None:
                raise JobNotFound(job_id)
            else:
                state = None  # a plain arq worker ran it: its result says how it ended
        outcome = _read_result(result)
        if state is None and outcome is not None:
            state = "succeeded" if outcome["s"] else "failed"
            record |= {"attempts": str(outcome["t"]), "started_at": str(outcome["st"]),
                       "finished_at": str(outcome["ft"]), "queue": outcome["q"]}  # fmt: skip
            if state == "failed":
                record |= {"error": "failed in a plain arq worker", "message": str(as_json(outcome["r"]))}
        job = build_job(
            job_id,
            record,
            waiting or kept or result,
            queue=queue or record.get("queue"),
            state=state,
            due_ms=due_ms,
            progress=progress if state == "processing" else None,
            connection=self.name,
        )
        failures, retries = read_history(history)
        returned = as_json(outcome["r"]) if outcome and outcome["s"] else None
        log = [json.loads(line) for line in lines]
        return JobDetail(job, failures, timeline(job, failures, retries), returned, log)

    async def payload(self, job_id: str) -> bytes | None:
        """A job's bytes, wherever they stand; arq's result holds its arguments as well."""
        kinds = ("payload", "kept", "result")
        found: list[bytes | None] = await self.redis.mget([KEYS[kind] + job_id for kind in kinds])
        return next((raw for raw in found if raw), None)

    async def job_json(self, job_id: str) -> dict[str, Any]:
        """One job as the API shows it, with `failures`, `timeline`, `result` and `log`. Raises JobNotFound."""
        return (await self.job(job_id)).to_json()

    async def workers(self) -> list[dict[str, Any]]:
        """The workers whose lease runs (see `worker_list.read_workers`)."""
        return await read_workers(self.redis)

    async def dead_workers(self) -> list[dict[str, Any]]:
        """The workers that stopped without notice within the hour."""
        return await read_dead_workers(self.redis)

    async def stranded(self) -> list[tuple[str, str, str]]:
        """What waits and no living worker of its queue can run: queue (by key), task, and who had it last or ""."""
        found = [part.decode("utf-8", "replace") for part in await self.scripts.run("stranded", MOST_STRANDED)]
        return list(zip(*[iter(found)] * 3, strict=True))

    async def groups(self, first: int = 0, limit: int = 50) -> tuple[list[dict[str, Any]], int]:
        """Failed jobs by cause (see `groups.read_groups`)."""
        return await read_groups(self.scripts, first, limit)

    async def rates(self) -> dict[str, dict[str, Any]]:
        """Of each queue (by key) what the last five minutes counted."""
        return await read_rates(self.redis)

    async def count_failed(self, where: JobFilter) -> int | None:
        """How many failed jobs match; None where they would have to be read to know."""
        if where.queue or where.task or where.text:
            return None
        key = KEYS["group"] + where.fingerprint if where.fingerprint else KEYS["failed"]
        return int(await self.redis.zcount(key, where.since_ms or "-inf", where.until_ms or "+inf"))

    async def _walk(
        self, state: State, queue: str | None, where: JobFilter, after: tuple[float, str] | None, batch_size: int
    ) -> AsyncIterator[list[tuple[str, float]]]:
        """The ids of one state in order, in batches, from behind `after` = (score, id)."""
        now = timestamp_ms()
        soonest_first = state == "scheduled"
        key = KEYS[state] if state in _INDEXED else f"{KEYS['processing']}{queue}"
        if state == "failed" and where.fingerprint:
            key = KEYS["group"] + where.fingerprint
        low, high = ("-inf", "+inf")
        if state in ("queued", "scheduled"):
            assert queue is not None  # noqa: S101 - sections of these states name their queue
            key = queue
            low, high = ("-inf", str(now)) if state == "queued" else (f"({now}", "+inf")
        if where.since_ms is not None:
            low = str(where.since_ms) if low == "-inf" else f"({max(now, where.since_ms)}"
        if where.until_ms is not None:
            high = str(where.until_ms if high == "+inf" else min(now, where.until_ms))
        if after:
            low, high = (str(after[0]), high) if soonest_first else (low, str(after[0]))
        offset = 0
        while True:
            read = self.redis.zrangebyscore if soonest_first else self.redis.zrevrangebyscore
            bounds = (low, high) if soonest_first else (high, low)
            entries = await read(key, *bounds, start=offset, num=batch_size, withscores=True)
            if not entries:
                return
            offset += len(entries)
            batch = [(read_name(job_id), score) for job_id, score in entries]
            if after:
                # Equal scores stand in the order of their ids, as bytes: leave out what was seen.
                seen = raw_name(after[1])
                batch = [
                    (job_id, score)
                    for job_id, score in batch
                    if score != after[0] or (raw_name(job_id) > seen if soonest_first else raw_name(job_id) < seen)
                ]
            if batch:
                yield batch

    def _build(self, state: State, queue: str | None, job_id: str, score: float, about: Read) -> Job | None:
        """The job, as `_read_records` read it; None for one that is not in this state any more."""
        record, raw, is_busy = about
        if state == "scheduled" and record.get("state") == "processing":
            return None  # a running job's score is the end of its lease, not a schedule
        if state == "failed" and not record:
            return None  # retried or deleted since the list was read
        actual: State = "processing" if state == "queued" and is_busy else state
        due = score if state in ("queued", "scheduled") else None
        return build_job(job_id, record, raw, queue=queue, state=actual, due_ms=due, connection=self.name)

    async def _read_records(self, state: State, batch: Sequence[tuple[str, float]]) -> list[Read]:
        """Of each job its record, its bytes (or its result's), and whether arq says that it is in progress."""
        payload = KEYS["kept" if state in ("failed", "cancelled") else "result" if state == "succeeded" else "payload"]
        has_lines = state not in ("failed", "cancelled")
        waits = state not in _INDEXED
        async with self.redis.pipeline(transaction=False) as pipe:
            ids = [job_id for job_id, _ in batch]
            if has_lines:
                pipe.hmget(KEYS["lines"], ids)
            pipe.mget([payload + job_id for job_id in ids])
            for job_id in ids:
                pipe.hgetall(KEYS["job"] + job_id)
                if waits:
                    pipe.exists(KEYS["in_progress"] + job_id)
            answers = await pipe.execute()
        written = answers.pop(0) if has_lines else [None] * len(ids)
        payloads = answers.pop(0)
        records, busy = (answers[::2], answers[1::2]) if waits else (answers, [0] * len(ids))
        return [
            (read_line(line) if line else read_record(record), raw, bool(in_progress))
            for line, record, raw, in_progress in zip(written, records, payloads, busy, strict=True)
        ]


def _read_result(raw: bytes | None) -> dict[str, Any] | None:
    """arq's result ({'s', 'r', 't', 'st', 'ft', 'q'}, see `arq.jobs.serialize_result`), read without running it."""
    if raw is None:
        return None
    try:
        data = look_into(raw)
        return {"s": bool(data["s"]), "r": data["r"], **{name: read_whole(data[name]) for name in ("t", "st", "ft")},
                "q": read_text(data["q"]).encode("utf-8", "replace").decode()}  # fmt: skip
    except Exception:  # bytes of another serializer: the job is shown without its result
        return None
