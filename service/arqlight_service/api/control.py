"""REST for those who run the place: queues, groups, operations, logs, charts, schedules, settings, connections."""

from dataclasses import fields
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import Field

from arqlight.errors import ArqlightError, InvalidInput
from arqlight.extras import MissingExtra
from arqlight.jobs.display import iso
from arqlight.jobs.overrides import Override
from arqlight.jobs.periodic_job import PeriodicJob
from arqlight.jobs.queues import queue_name
from arqlight.journal.log_reader import LogFilter
from arqlight_service.api.answers import done
from arqlight_service.api.jobs import filter_of, key_of
from arqlight_service.api.problems import Problem
from arqlight_service.api.requests import JobId, ListQuery, Name, Strict, parse_input, validate
from arqlight_service.app_keys import (
    CONNECTIONS,
    FAMILIES_DATABASE,
    OPERATIONS,
    REACHABILITY,
    connection_of,
    home_of,
)
from arqlight_service.auth.identity import actor
from arqlight_service.auth.roles import Role, needs
from arqlight_service.operations.operations import MOST_IDS

routes = web.RouteTableDef()
FAMILIES = "database"  # what the API calls the database of the task families


class Confirmation(Strict):
    """The name of what is about to go, typed."""

    confirm: str = Field(max_length=300)


class OperationRequest(Strict):
    """Retry or delete failed jobs: those named, or those that match."""

    kind: Literal["retry", "delete"]
    ids: list[JobId] = Field([], max_length=MOST_IDS)
    queue: Name | None = None
    task: Name | None = None
    q: Annotated[str, Field(max_length=200)] | None = None
    fingerprint: Annotated[str, Field(max_length=64)] | None = None
    since: str | None = None
    until: str | None = None


class LogQuery(Strict):
    """Which lines of the log."""

    level: Literal["debug", "info", "warning", "error"] | None = None
    job: Annotated[str, Field(max_length=256)] | None = None
    task: Name | None = None
    q: Annotated[str, Field(max_length=200)] | None = None
    limit: int = Field(100, ge=1, le=500)
    before: str | None = None
    after: str | None = None

    @classmethod
    def of(cls, request: web.Request) -> "LogQuery":
        """The query of a request. Raises Problem 400."""
        given = {name: value for name, value in request.query.items() if value and name != "connection"}
        return validate(cls, given, 400)

    def filter(self) -> LogFilter:
        """As the reader takes it."""
        return LogFilter(self.level, self.job, self.task, self.q)


class ScheduleChange(Strict):
    """What can be changed of a schedule."""

    cron: Annotated[str, Field(max_length=200)] | None = None
    jitter_s: float | None = None
    enabled: bool | None = None


@routes.post("/api/v1/queues/{queue}/{action:pause|resume}")
@needs(Role.OPERATOR)
async def pause(request: web.Request) -> web.Response:
    """Stop, or go on, claiming from a queue: in force with the next claim of any worker."""
    key, action = await known_queue(request), request.match_info["action"]
    if await connection_of(request).journal.pause(key, action == "pause"):
        what = f"queue {queue_name(key)}{_of(request)}"
        await home_of(request.app).audit.note(actor(request), what, *_before_after(action))
    return done(request, {"queue": queue_name(key), "paused": action == "pause"}, "/queues")


@routes.post("/api/v1/queues/{queue}/empty")
@needs(Role.ADMIN)
async def empty(request: web.Request) -> web.Response:
    """`{"confirm": "<the queue's name>"}`: remove all that waits there. 202 with the operation."""
    key = await known_queue(request)
    typed = (await parse_input(request, Confirmation)).confirm.strip()
    if typed != queue_name(key):
        raise InvalidInput("confirm", f"{typed!r} is not the queue's name; type {queue_name(key)} to empty it")
    operation = await request.app[OPERATIONS].start(
        "empty", actor(request), connection=connection_of(request).name, queue=key
    )
    return done(request, operation.to_json(), "/queues", 202)


@routes.get("/api/v1/groups")
@needs(Role.VIEWER)
async def groups(request: web.Request) -> web.Response:
    """Failed jobs by what made them fail: `{"items", "total"}`."""
    found, total = await connection_of(request).reader.groups(_place(request))
    return web.json_response({"items": found, "total": total})


@routes.get("/api/v1/operations")
@needs(Role.VIEWER)
async def operations(request: web.Request) -> web.Response:
    """The newest operations."""
    return web.json_response({"items": [each.to_json() for each in await request.app[OPERATIONS].newest()]})


@routes.post("/api/v1/operations")
@needs(Role.OPERATOR)
async def start_operation(request: web.Request) -> web.Response:
    """`{"kind": "retry"|"delete", "ids": […]}`, or in place of ids a filter: 202 with the operation."""
    asked = await parse_input(request, OperationRequest)
    names = ("queue", "task", "q", "fingerprint", "since", "until")
    given = {name: value for name in names if (value := getattr(asked, name))}
    if asked.ids and given:
        raise InvalidInput("ids", "give ids or a filter, not both")
    where = await filter_of(request, validate(ListQuery, given))
    operation = await request.app[OPERATIONS].start(
        asked.kind,
        actor(request),
        connection=connection_of(request).name,
        where=where,
        ids=tuple(dict.fromkeys(asked.ids)),
    )
    return done(request, operation.to_json(), "/failed", 202)


@routes.get("/api/v1/operations/{id}")
@needs(Role.VIEWER)
async def one_operation(request: web.Request) -> web.Response:
    """How far it is."""
    return web.json_response((await request.app[OPERATIONS].find(request.match_info["id"])).to_json())


@routes.post("/api/v1/operations/{id}/cancel")
@needs(Role.OPERATOR, does="stop operation {id}")
async def cancel_operation(request: web.Request) -> web.Response:
    """Stop it where it is; what is done stays done."""
    operation = await request.app[OPERATIONS].cancel(request.match_info["id"])
    return done(request, operation.to_json(), "/failed", 202)


@routes.get("/api/v1/logs")
@needs(Role.VIEWER)
async def logs(request: web.Request) -> web.Response:
    """`?level=&job=&task=&q=&limit=&before=&after=`: lines, the newest first."""
    query = LogQuery.of(request)
    log = connection_of(request, "log").log
    lines, following = await log.lines(query.filter(), limit=query.limit, before=query.before, after=query.after)
    return web.json_response({"items": lines, "next": following})


@routes.get("/api/v1/charts")
@needs(Role.VIEWER)
async def charts(request: web.Request) -> web.Response:
    """`?span=hour|day|week&queue=`: throughput, failures, and percentiles of waiting and running."""
    span = request.query.get("span", "hour")
    if span not in ("hour", "day", "week"):
        raise Problem(400, f"no span {span[:50]!r}; there are hour, day, week", field="span")
    name = request.query.get("queue")
    key = await key_of(request, name) if name else None
    return web.json_response(await connection_of(request, "counters").counters.chart(span, key))  # type: ignore[arg-type]


@routes.get("/api/v1/rates")
@needs(Role.VIEWER)
async def rates(request: web.Request) -> web.Response:
    """Of each queue what the last five minutes counted."""
    found = await connection_of(request).reader.rates()
    return web.json_response({"items": {queue_name(key): rate for key, rate in found.items()}})


@routes.get("/api/v1/schedules")
@needs(Role.VIEWER)
async def schedules(request: web.Request) -> web.Response:
    """Every periodic job."""
    kept = connection_of(request, "schedules").schedules
    last = await kept.last_jobs()
    shown = [schedule_json(each, last.get(each.name)) for each in await kept.all()]
    return web.json_response({"items": shown})


@routes.post("/api/v1/schedules/{name}")
@routes.patch("/api/v1/schedules/{name}")
@needs(Role.ADMIN)
async def edit_schedule(request: web.Request) -> web.Response:
    """Change `cron` (five fields, UTC), `jitter_s` or `enabled`."""
    change = await parse_input(request, ScheduleChange)
    name = request.match_info["name"]
    kept = connection_of(request, "schedules").schedules
    changed = await kept.change(name, who=actor(request), **change.model_dump())
    last = (await kept.last_jobs()).get(name)
    return done(request, schedule_json(changed, last), "/schedules")


@routes.post("/api/v1/schedules/{name}/run")
@needs(Role.OPERATOR, does="run schedule {name} now")
async def run_schedule(request: web.Request) -> web.Response:
    """Enqueue its job now: 202 with the id."""
    job_id = await connection_of(request, "schedules").schedules.fire_now(request.match_info["name"])
    return done(request, {"id": job_id}, "/schedules", 202)


@routes.get("/api/v1/settings")
@needs(Role.VIEWER)
async def settings(request: web.Request) -> web.Response:
    """What was set for queues and tasks over what the code says."""
    shown = [
        {"kind": kind, "name": queue_name(name) if kind == "queue" else name, **override.values()}
        for kind, name, override in (await connection_of(request, "overrides").overrides.read()).items()
    ]
    return web.json_response({"items": shown})


@routes.post("/api/v1/settings/{kind:queue|task}/{name}")
@routes.put("/api/v1/settings/{kind:queue|task}/{name}")
@needs(Role.ADMIN)
async def change_settings(request: web.Request) -> web.Response:
    """Set `timeout_s`, `tries`, `backoff_first_s`, `backoff_longest_s`, `keep_result_s`, of a queue `concurrency`.

    What is left out is as the code says. In force in running workers within moments.
    """
    kind, name = request.match_info["kind"], request.match_info["name"]
    given = await parse_input(request, OverrideRequest)
    key = await known_queue(request, name) if kind == "queue" else name
    if kind == "task" and name not in await connection_of(request).reader.known_tasks():
        raise Problem(404, f"no worker has announced a task {name!r}")
    overrides = connection_of(request, "overrides").overrides
    chosen = await overrides.set(kind, key, given.model_dump(), actor(request))
    return done(request, {"kind": kind, "name": name, **chosen.values()}, "/settings")


@routes.get("/api/v1/audit")
@needs(Role.VIEWER)
async def audit(request: web.Request) -> web.Response:
    """Who changed what, from what, to what; the newest first."""
    return web.json_response({"items": await connection_of(request, "audit").audit.read()})


@routes.get("/api/v1/connections")
@needs(Role.VIEWER)
async def list_connections(request: web.Request) -> web.Response:
    """Every connection, whether it answers, and why not."""
    return web.json_response({"items": request.app[REACHABILITY].to_json()})


@routes.post("/api/v1/connections/{name}/test")
@needs(Role.OPERATOR, does="test connection {name}")
async def test_connection(request: web.Request) -> web.Response:
    """Ask a connection now: `{"name", "ok", "detail"}`. `database` is the database of the task families."""
    name = request.match_info["name"]
    if name == FAMILIES:
        return done(request, await try_families(request.app), "/settings")
    connection, reachability = request.app[CONNECTIONS].find(name), request.app[REACHABILITY]
    await reachability.ask(connection)
    told = next(each for each in reachability.to_json() if each["name"] == name)
    return done(request, {part: told[part] for part in ("name", "ok", "detail")}, "/settings")


async def try_families(app: web.Application) -> dict[str, Any]:
    """What the task families' database answers, or in one sentence why it does not; never with a password."""
    database = app.get(FAMILIES_DATABASE)
    if database is None:
        return {
            "name": FAMILIES,
            "ok": False,
            "detail": str(MissingExtra("the database of the task families", "families")),
        }
    try:
        return {"name": FAMILIES, "ok": True, "detail": f"{await database.ping()} answers"}
    except ArqlightError as error:
        return {"name": FAMILIES, "ok": False, "detail": str(error).splitlines()[0]}


class OverrideRequest(Strict):
    """The fields of `Override`; an empty one of a form is not set."""

    timeout_s: float | Literal[""] | None = None
    tries: int | Literal[""] | None = None
    backoff_first_s: float | Literal[""] | None = None
    backoff_longest_s: float | Literal[""] | None = None
    keep_result_s: float | Literal[""] | None = None
    concurrency: int | Literal[""] | None = None


async def known_queue(request: web.Request, name: str | None = None) -> str:
    """The key of a queue that was seen. Raises Problem 404."""
    shown = name or request.match_info["queue"]
    key = await key_of(request, shown)
    if key not in await connection_of(request).reader.known_queues():
        raise Problem(404, f"no queue {shown!r} was ever seen")
    return key


def schedule_json(schedule: PeriodicJob, last_job: str | None) -> dict[str, Any]:
    """A schedule, in words too."""
    return {
        "name": schedule.name, "cron": schedule.cron, "words": schedule.words, "jitter_s": schedule.jitter_s,
        "enabled": schedule.enabled, "task": schedule.task, "queue": queue_name(schedule.queue),
        "kwargs": schedule.kwargs, "next_at": iso(schedule.next_ms()) if schedule.enabled else None,
        "last_job": last_job,
    }  # fmt: skip


def _before_after(action: str) -> tuple[str, str]:
    return ("running", "paused") if action == "pause" else ("paused", "running")


def _of(request: web.Request) -> str:
    """Which connection, for the audit list, where it is not the first one."""
    connection = connection_of(request)
    return "" if connection is request.app[CONNECTIONS].first else f" of {connection.name}"


def _place(request: web.Request) -> int:
    first = request.query.get("from", "0")
    if not (first.isascii() and first.isdigit() and len(first) < 10):
        raise Problem(400, f"from={first[:50]!r} is not a place in the list", field="from")
    return int(first)


FIELDS = {each.name: str(each.metadata["about"]) for each in fields(Override)}
