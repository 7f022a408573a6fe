"""What the API takes: bodies and queries, checked, with an answer that names the field and the reason."""

import datetime
import inspect
import json
import re
from typing import Annotated, Any, TypeVar, get_origin
from urllib.parse import parse_qsl

from aiohttp import web
from arq.constants import health_check_key_suffix
from multidict import MultiMapping
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from arqlight.bundled import bundled_tasks
from arqlight.connections.connection import Reads
from arqlight.jobs.job import State
from arqlight.jobs.queues import queue_key, queue_name
from arqlight.journal.journal import NewJob
from arqlight_service.api.problems import Problem, is_form

MOST_JOBS = 10_000
CSRF_FIELD = "_csrf"  # what a page sends along; the guard reads it
LONGEST_DELAY_S = 10 * 366 * 24 * 3600


def _clean_id(text: str) -> str:
    """Ids are shown, linked and stored: any characters but those that cannot be."""
    if not text.isprintable():
        raise ValueError("it holds control characters or text that is not valid Unicode")
    return text


def _lane(name: str) -> str:
    """arq keeps each queue's health check beside it, under a name that a lane could have."""
    if f":{name}".endswith(health_check_key_suffix):
        raise ValueError(f"{name!r} is where arq keeps a health check; choose another name")
    return name


Model = TypeVar("Model", bound=BaseModel)
JobId = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_clean_id)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Lane = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$"), AfterValidator(_lane)]


FILTERS = ("queue", "task", "q", "fingerprint", "since", "until")


def _zoned(value: object) -> object:
    """A time without a zone is UTC: forms of a browser send none."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?", value):
        return (value if "T" in value else f"{value}T00:00") + "Z"
    return value


AwareDatetime = Annotated[datetime.datetime, BeforeValidator(_zoned)]


class Strict(BaseModel):
    """Input of which nothing is ignored."""

    model_config = ConfigDict(extra="forbid")


def split_text(value: object) -> object:
    """A list as a person writes it: one text, with commas."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        value = ",".join(value)
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class JobRequest(Strict):
    """A job to enqueue."""

    task: Name
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    queue: Lane | None = None
    delay_s: float = Field(0, ge=0, le=LONGEST_DELAY_S)
    id: JobId | None = None


def from_json(value: object) -> object:
    """A form sends what a person typed: JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON: {error}") from None


class EditedJob(Strict):
    """A job's arguments as a person edited them."""

    args: Annotated[tuple[Any, ...], BeforeValidator(from_json)]
    kwargs: Annotated[dict[str, Any], BeforeValidator(from_json)]
    queue: Lane | None = None


class JobsRequest(Strict):
    """Many jobs: all are enqueued, or none."""

    jobs: list[JobRequest] = Field(min_length=1, max_length=MOST_JOBS)


class ListQuery(Strict):
    """The query of a list."""

    state: State | None = None
    queue: Name | None = None
    task: Name | None = None
    q: Annotated[str, Field(max_length=200)] | None = None
    fingerprint: Annotated[str, Field(max_length=64)] | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = None


def to_ms(moment: datetime.datetime | None) -> int | None:
    """Milliseconds since the epoch."""
    return None if moment is None else int(moment.timestamp() * 1000)


async def parse_body(request: web.Request) -> JobRequest | list[JobRequest]:
    """The body of an enqueue. Raises Problem: 400 for what is not JSON, 422 for JSON that is not a job."""
    body = await read_json(request, strict=False)  # NaN among the arguments is the task's to judge
    if isinstance(body, dict) and "jobs" in body:
        return validate(JobsRequest, body).jobs
    return validate(JobRequest, body)


async def read_json(request: web.Request, *, strict: bool = True) -> Any:
    """The body, as JSON; not `strict` lets NaN and Infinity through, as Python reads them. Raises Problem 400."""
    try:
        return json.loads(await request.read(), parse_constant=_no_number if strict else None)
    except (ValueError, RecursionError) as error:
        raise Problem(400, f"the body is not JSON: {error}") from error


def _no_number(name: str) -> None:
    """Python reads NaN and Infinity, which JSON does not have (RFC 8259, 6), and no other reader takes."""
    raise ValueError(f"{name} is no number of JSON's")


async def parse_input(request: web.Request, model: type[Model]) -> Model:
    """What a programme sent as JSON or a person as a form. Raises Problem: 400 for neither, 422 naming the field."""
    body: Any
    if is_form(request):
        lists = {name for name, field in model.model_fields.items() if get_origin(field.annotation) is list}
        body = {}
        for name, value in await read_form(request):
            if name == CSRF_FIELD:
                continue
            # Of a field given twice the last one counts (a checkbox comes behind its hidden "false"), but in a list.
            body[name] = [*body.get(name, []), value] if name in lists else value
    else:
        body = await read_json(request) if request.body_exists else {}
    return validate(model, body)


async def read_form(request: web.Request) -> list[tuple[str, str]]:
    """A form's fields in order. aiohttp's own reading lets bytes through that are not UTF-8. Raises Problem 400."""
    try:
        if (request.charset or "utf-8").lower() != "utf-8":
            raise ValueError(f"its encoding is {request.charset!r}, not UTF-8")
        raw = (await request.read()).decode("ascii")  # all else is percent-encoded
        return parse_qsl(raw, keep_blank_values=True, errors="strict", max_num_fields=MOST_JOBS)
    except ValueError as error:
        raise Problem(400, f"the form cannot be read: {error}") from error


def validate(model: type[Model], body: Any, status: int = 422) -> Model:
    """`body` as a model. Raises Problem, which names the first field that is wrong."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise _problem(error, status) from error


def parse_id(request: web.Request) -> str:
    """The job's id in the path. Raises Problem 404 for one that no job can have."""
    job_id = request.match_info["id"]
    try:
        job_id.encode()
    except UnicodeEncodeError:
        raise Problem(404, f"no job has the id {json.dumps(job_id)}: it is not valid UTF-8") from None
    return job_id


def parse_list_query(request: web.Request, *names: str) -> ListQuery:
    """The query of a list, of which only `names` are known. Raises Problem 400."""
    query: MultiMapping[str] = request.query
    unknown = sorted(set(query) - set(names) - {"connection"})
    if unknown:
        raise Problem(400, f"unknown parameter {unknown[0]!r}; there are {', '.join(names)}")
    return validate(ListQuery, {name: query[name] for name in names if query.get(name)}, 400)


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
            known = ", ".join(sorted({*announced, *bundled}))
            raise Problem(422, f"{where}no worker has announced a task {job.task!r}; known: {known}", field="task")
        if about["serializer"] != "pickle":
            raise Problem(
                422, f"{where}task {job.task!r} reads a serializer of its own; enqueue it from your application"
            )
        if job.queue and ":" in job.queue and job.queue not in queues:
            raise Problem(422, f"{where}queue {job.queue!r} was never seen; lanes are named without ':'", field="queue")
        if job.task in bundled:
            _check_arguments(where, job, bundled[job.task].coroutine)
        queue = queue_key(job.queue, queues) if job.queue else about["queue"]
        jobs.append(NewJob(job.task, queue, job.args, job.kwargs, job.id, round(job.delay_s * 1000)))
    return jobs


def lane_of(task: str) -> str:
    """The lane of a bundled task; else the default one."""
    bundled = bundled_tasks().get(task)
    return queue_name(bundled.queue) if bundled else "default"


def _check_arguments(where: str, job: JobRequest, coroutine: Any) -> None:
    """Arguments that can never fit are refused now, not when a worker picks the job up."""
    try:
        inspect.signature(coroutine).bind({}, *job.args, **job.kwargs)
    except TypeError as error:
        raise Problem(422, f"{where}task {job.task!r}: {error}", field="args") from error


def _problem(error: ValidationError, status: int) -> Problem:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "body"
    return Problem(status, f"{field}: {first['msg'].removeprefix('Value error, ')}", field=field)
