"""The reads of jobs in PostgreSQL."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from arqlight.connections.connection import ACTIVE_ROWS
from arqlight.connections.database.pool import Pool, query
from arqlight.connections.database.rows import (
    BEGINNING,
    END,
    FAILED,
    ended_job_of,
    failure_of,
    is_storable,
    job_of,
    to_moment,
    to_ms,
)
from arqlight.errors import CursorInvalid, JobNotFound
from arqlight.jobs.display import as_json, iso
from arqlight.jobs.filters import ALL, JobFilter
from arqlight.jobs.job import STATES, Job, State, timeline
from arqlight.jobs.job_detail import JobDetail
from arqlight.jobs.overview import Overview, QueueFigures
from arqlight.jobs.page_cursors import read_cursor, write_cursor
from arqlight.jobs.queues import queue_key, queue_name
from arqlight.jobs.reading import Reading
from arqlight.jobs.serialization import look_into
from arqlight.journal.counters import RATE_MINUTES, rate_json
from arqlight.journal.groups import SPARK_STEPS
from arqlight.journal.worker_list import MOST_RUNNING_SHOWN

BATCH = 200
# Counting reads the whole queue: a large one is counted so seldom that it takes a twentieth of the time.
COUNTING_SHARE = 20


class DatabaseReader:
    """Reads job state for people and programs, who know the database as the connection `name`."""

    def __init__(self, pool: Pool, name: str, keep_failed: int, keep_job_log: int) -> None:
        self._pool = pool
        self._name = name
        self._keep_failed = keep_failed
        self._keep_job_log = keep_job_log
        self._counted: list[Any] = []
        self._count_again = 0.0

    async def overview(self, rows: int = ACTIVE_ROWS) -> Overview:
        """Counts and the active list of one snapshot; of a large queue, the counts of a moment before."""
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            cursor = await connection.fetchval(query("last_cursor"))
            active = await connection.fetch(query("active"), rows)
            served = await connection.fetchrow(query("served"))
            paused = {row["queue"] for row in await connection.fetch(query("paused"))}
            queues = {row["name"] for row in await connection.fetch(query("known_queues"))}
            began = time.monotonic()
            if began >= self._count_again:
                self._counted = await connection.fetch(query("counts"))
                self._count_again = time.monotonic() + (time.monotonic() - began) * COUNTING_SHARE
        counts = {row["queue"]: row for row in self._counted}
        workers: dict[str, int] = {}
        for names in served["queues"]:
            for queue in names:
                workers[queue] = workers.get(queue, 0) + 1
        return Overview(
            cursor=cursor,
            failed=sum(row["failed"] for row in self._counted),
            queues=[
                _figures(name, counts.get(name), workers.get(name, 0), name in paused)
                for name in sorted(queues | set(counts))
            ],
            workers=served["workers"],
            active=[job_of(row, self._name) for row in active],
        )

    async def known_queues(self) -> list[str]:
        """The key of every queue that was seen."""
        return [queue_key(row["name"]) for row in await self._pool.rows("known_queues")]

    async def known_tasks(self) -> dict[str, dict[str, Any]]:
        """Every task a worker announced: name -> `{"queue", "serializer"}`."""
        found = await self._pool.rows("known_tasks")
        return {row["name"]: {"queue": row["queue"], "serializer": row["serializer"]} for row in found}

    async def is_settling(self) -> bool:
        """Never: workers announce themselves with each heartbeat."""
        return False

    async def jobs(
        self, *, state: State | None = None, where: JobFilter = ALL, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[Job], str | None]:
        """A page of jobs, newest first within each state (scheduled: soonest first), and the next cursor.

        A page is short, with a cursor, when much would have to be read for it (see `reading.Reading`).

        Raises CursorInvalid.
        """
        sections = [state] if state else list(STATES)
        at, after = read_cursor(cursor, len(sections))
        found: list[Job] = []
        reading = Reading()
        last: tuple[int, float, str] | None = None
        for place in range(at, len(sections)):
            behind = _behind(sections[place], after if place == at else None, cursor)
            while True:
                rows = await self._section(sections[place], where, behind, BATCH if where.is_narrow else limit + 1)
                reading.begin()
                for row in rows:
                    if last and (len(found) == limit or reading.is_over):
                        return found, write_cursor(last)
                    behind = (row["place"], row["number"])
                    last = (place, row["place"].timestamp(), str(row["number"]))
                    job = (job_of if "due_at" in row else ended_job_of)(row, self._name)
                    if where.matches(job):
                        found.append(job)
                    await reading.spend(len(row["payload"] or b""))
                if not rows:
                    break
        return found, None

    async def failed(
        self, *, where: JobFilter = ALL, limit: int = 50, cursor: str | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of failed jobs with their traces, newest first, and the next cursor. Raises CursorInvalid."""
        jobs, following = await self.jobs(state="failed", where=where, limit=limit, cursor=cursor)
        return await self.failed_by_id([job.id for job in jobs]), following

    async def failed_by_id(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Those of `ids` that are in the failed list now, newest first, as `failed` shows them."""
        wanted = [job_id for job_id in ids if is_storable(job_id)]
        if not wanted:
            return []
        rows = await self._pool.rows("failed", END, 0, len(wanted), None, None, None, None, wanted, None)
        return [
            job_of(row, self._name).to_json() | {"trace": (row["traceback"] or {}).get("traceback", "")} for row in rows
        ]

    async def kept(self, ids: Sequence[str]) -> dict[str, State]:
        """Those of `ids` whose job failed or was cancelled."""
        wanted = [job_id for job_id in ids if is_storable(job_id)]
        return {row["id"]: row["state"] for row in await self._pool.rows("kept", wanted)} if wanted else {}

    async def count_failed(self, where: JobFilter) -> int | None:
        """How many failed jobs match; None where they would have to be read to know."""
        if where.queue or where.task or where.text:
            return None
        bounds = to_moment(where.since_ms), to_moment(where.until_ms)
        return int(await self._pool.value("count_failed", *bounds, where.fingerprint))

    async def groups(self, first: int = 0, limit: int = 50) -> tuple[list[dict[str, Any]], int]:
        """Failed jobs by cause (see `groups.read_groups`)."""
        rows = await self._pool.rows("groups", first, limit, SPARK_STEPS)
        groups = []
        for row in rows:
            told, hours = row["told"] or {}, row["hours_ago"] or []
            groups.append(
                {
                    "fingerprint": row["fingerprint"],
                    "task": row["task"],
                    "error": told.get(FAILED, ""),
                    "message": told.get("exception_message", ""),
                    "count": row["count"],
                    "first_seen": iso(to_ms(row["first_seen"])),
                    "last_seen": iso(to_ms(row["last_seen"])),
                    "spark": [hours.count(SPARK_STEPS - 1 - step) for step in range(SPARK_STEPS)],
                }
            )
        return groups, rows[0]["total"] if rows else 0

    async def job(self, job_id: str) -> JobDetail:
        """One job with all that is kept of it. Raises JobNotFound."""
        result = None
        if not is_storable(job_id):
            raise JobNotFound(job_id)
        row = await self._pool.row("job", job_id)
        if row is None:
            row = await self._pool.row("ended_job", job_id)
            if row is None:
                raise JobNotFound(job_id)
            result = row["result"]
        if "due_at" in row and row["status"] == "failed":
            bounds = (END, 0, 1, None, None, None, None, None, [row["number"]])
            row = next(iter(await self._pool.rows("failed", *bounds)), row)  # it may just have been retried
        job = (job_of if "due_at" in row else ended_job_of)(row, self._name)
        history = await self._pool.rows("history", row["number"])
        failures = [failure_of(each["traceback"], each["created"]) for each in history if FAILED in _told(each)]
        enqueued = [each for each in history if each["status"] == "queued" and each["traceback"] is None]
        retries = [to_ms(each["created"]) for each in enqueued[:-1]]
        lines = [each["line"] for each in await self._pool.rows("lines", row["number"], self._keep_job_log)]
        return JobDetail(job, failures, timeline(job, failures, retries), _returned(result), lines)

    async def job_json(self, job_id: str) -> dict[str, Any]:
        """One job as the API shows it, with `failures`, `timeline`, `result` and `log`. Raises JobNotFound."""
        return (await self.job(job_id)).to_json()

    async def payload(self, job_id: str) -> bytes | None:
        """A job's bytes, wherever they stand."""
        if not is_storable(job_id):
            return None
        row = await self._pool.row("job", job_id) or await self._pool.row("ended_job", job_id)
        return row["payload"] if row else None

    async def workers(self) -> list[dict[str, Any]]:
        """The workers whose lease runs, the oldest first."""
        return [_worker(row, True) for row in await self._pool.rows("living_workers", MOST_RUNNING_SHOWN)]

    async def dead_workers(self) -> list[dict[str, Any]]:
        """The workers that stopped without notice within the hour."""
        return [_worker(row, False) for row in await self._pool.rows("dead_workers")]

    async def rates(self) -> dict[str, dict[str, Any]]:
        """Of each queue what the last five minutes counted."""
        spent = RATE_MINUTES
        return {
            row["queue"]: rate_json(row["succeeded"], row["failed"], row["waited_ms"], row["ran_ms"], spent)
            for row in await self._pool.rows("rates")
        }

    async def _section(self, state: State, where: JobFilter, behind: tuple[datetime, int], count: int) -> list[Any]:
        queue = queue_name(where.queue) if where.queue else None
        bounds = (*behind, count, queue, to_moment(where.since_ms), to_moment(where.until_ms))
        if state in ("succeeded", "cancelled"):
            return await self._pool.rows("ended", *bounds, state)
        if state == "failed":
            return await self._pool.rows("failed", *bounds, where.fingerprint, None, None)
        return await self._pool.rows(state, *bounds)


def _behind(state: State, after: tuple[float, str] | None, cursor: str | None) -> tuple[datetime, int]:
    if after is not None:
        try:
            moment, number = datetime.fromtimestamp(after[0], UTC), int(after[1])
        except (ValueError, OverflowError, OSError):  # a place in time that there is not, or no number
            raise CursorInvalid(cursor or "") from None
        if abs(number) >= 2**63:
            raise CursorInvalid(cursor or "")
        return moment, number
    return (BEGINNING, 0) if state == "scheduled" else (END, 0)


def _figures(name: str, counts: Any, workers: int, paused: bool) -> QueueFigures:
    if counts is None:
        return QueueFigures(name, 0, 0, 0, workers, paused, None)
    oldest = to_ms(counts["oldest"]) if counts["oldest"] else None
    return QueueFigures(name, counts["processing"], counts["queued"], counts["scheduled"], workers, paused, oldest)


def _told(entry: Any) -> dict[str, Any]:
    return entry["traceback"] or {}


def _returned(result: bytes | None) -> Any:
    """What a task that ended well returned, out of arq's result, read without running it."""
    if not result:
        return None
    try:
        outcome = look_into(result)
        return as_json(outcome["r"]) if outcome["s"] else None
    except Exception:  # bytes of another serializer: the job is shown without its result
        return None


def _worker(row: Any, is_alive: bool) -> dict[str, Any]:
    about = row["about"]
    return {
        "id": row["id"],
        "alive": is_alive,
        "host": about["host"],
        "pid": about["pid"],
        "version": about["version"],
        "queues": about["queues"],
        "tasks": about["tasks"],
        "crons": [],
        "max_jobs": about["max_jobs"],
        "running": row["running"],
        "jobs": [{"id": job["id"], "task": job["task"], "started_at": iso(job["started_ms"])} for job in row["jobs"]],
        "memory_bytes": about["memory_bytes"],
        "aborts": True,
        "started_at": iso(to_ms(row["started_at"])),
        "seen_at": iso(to_ms(row["seen_at"])),
    }
