"""Jobs as a programme or a person asks for them."""

import inspect
from typing import Annotated, Any

from aiohttp import web
from pydantic import BeforeValidator, Field

from arqlight.bundled import bundled_tasks
from arqlight.connections.connection import Reads
from arqlight.errors import PermanentFailure
from arqlight.jobs.queues import queue_key, queue_name
from arqlight.journal.journal import NewJob
from arqlight.tasks import Task
from arqlight_service.api.problems import Problem
from arqlight_service.api.requests import JobId, Lane, Name, Strict, from_json, read_json, validate

MOST_JOBS = 10_000
LONGEST_DELAY_S = 10 * 366 * 24 * 3600


class JobRequest(Strict):
    """A job to enqueue."""

    task: Name
    args: list[Any] = Field([])
    kwargs: dict[str, Any] = Field({})
    queue: Lane | None = None
    delay_s: float = Field(0, ge=0, le=LONGEST_DELAY_S)
    id: JobId | None = None


class EditedJob(Strict):
    """A job's arguments as a person edited them."""

    args: Annotated[tuple[Any, ...], BeforeValidator(from_json)]
    kwargs: Annotated[dict[str, Any], BeforeValidator(from_json)]
    queue: Lane | None = None


class JobsRequest(Strict):
    """Many jobs: all are enqueued, or none."""

    jobs: list[JobRequest] = Field(min_length=1, max_length=MOST_JOBS)


async def parse_body(request: web.Request) -> JobRequest | list[JobRequest]:
    """The body of an enqueue. Raises Problem: 400 for what is not JSON, 422 for JSON that is not a job."""
    body = await read_json(request)
    if isinstance(body, dict) and "jobs" in body:
        return validate(JobsRequest, body).jobs
    return validate(JobRequest, body)


async def resolve_jobs(reader: Reads, asked: list[JobRequest]) -> list[NewJob]:
    """Jobs for the journal: each task known to a worker or bundled, each queue a real one. Raises Problem 422."""
    announced = await reader.known_tasks()
    queues = frozenset(await reader.known_queues())
    bundled = bundled_tasks()
    jobs = []
    for place, job in enumerate(asked):
        where = f"jobs[{place}]: " if len(asked) > 1 else ""
        about = announced.get(job.task) or (
            {"queue": bundled[job.task].queue, "serializer": "pickle"} if job.task in bundled else None
        )
        if about is None:
            raise await _unknown(
                reader, f"{where}no worker has announced a task {job.task!r}", [*announced], [*bundled]
            )
        if about["serializer"] != "pickle":
            raise Problem(
                422, f"{where}task {job.task!r} reads a serializer of its own; enqueue it from your application"
            )
        if job.queue and ":" in job.queue and job.queue not in queues:
            raise Problem(422, f"{where}queue {job.queue!r} was never seen; lanes are named without ':'", field="queue")
        if job.task in bundled:
            _check_arguments(where, job, bundled[job.task])
        queue = queue_key(job.queue, queues) if job.queue else about["queue"]
        jobs.append(NewJob(job.task, queue, job.args, job.kwargs, job.id, round(job.delay_s * 1000)))
    return jobs


async def _unknown(reader: Reads, what: str, announced: list[str], bundled: list[str]) -> Problem:
    """422, which is final, only where the workers have had the time to say what they run."""
    if announced and not await reader.is_settling():
        return Problem(422, f"{what}; known: {', '.join(sorted({*announced, *bundled}))}", field="task")
    known = f"; bundled: {', '.join(sorted(bundled))}" if bundled else ""
    why = "workers announce their tasks anew, for the server lost them" if announced else "none has announced any yet"
    return Problem(503, f"{what}: {why}{known}", headers={"Retry-After": "5"}, field="task")


def lane_of(task: str) -> str:
    """The lane of a bundled task; else the default one."""
    bundled = bundled_tasks().get(task)
    return queue_name(bundled.queue) if bundled else "default"


def _check_arguments(where: str, job: JobRequest, task: Task) -> None:
    """Arguments that can never fit are refused now, not when a worker picks the job up."""
    try:
        inspect.signature(task.coroutine).bind({}, *job.args, **job.kwargs)
        if task.check:
            task.check(*job.args, **job.kwargs)
    except (TypeError, PermanentFailure) as error:
        raise Problem(422, f"{where}task {job.task!r}: {error}", field="args") from error
