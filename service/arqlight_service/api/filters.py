"""Which jobs a list shows, and which queue a name means."""

import datetime
from typing import Annotated

from aiohttp import web
from pydantic import Field

from arqlight.jobs.filters import JobFilter
from arqlight.jobs.job import State
from arqlight.jobs.queues import queue_key
from arqlight_service.api.problems import Problem
from arqlight_service.api.requests import AwareDatetime, Name, Strict
from arqlight_service.app_keys import connection_of

FILTERS = ("queue", "task", "q", "fingerprint", "since", "until")


class Filter(Strict):
    """Which jobs are meant; what is left out is open."""

    queue: Name | None = None
    """Jobs of one queue."""
    task: Name | None = None
    """Jobs of one task."""
    q: Annotated[str, Field(max_length=200)] | None = None
    """Text in id, task, error or arguments."""
    fingerprint: Annotated[str, Field(max_length=64)] | None = None
    """Failures of one cause."""
    since: AwareDatetime | None = None
    """From then on: when a job ended, started or is due, whichever its state orders by."""
    until: AwareDatetime | None = None


class FailedQuery(Filter):
    """A page of failed jobs."""

    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = None
    """`next` of the page before."""


class JobsQuery(FailedQuery):
    """A page of jobs."""

    state: State | None = None


def to_ms(moment: datetime.datetime | None) -> int | None:
    """Milliseconds since the epoch."""
    return None if moment is None else int(moment.timestamp() * 1000)


async def filter_of(request: web.Request, query: Filter) -> JobFilter:
    """The jobs that a list's query means."""
    return JobFilter(
        queue=await key_of(request, query.queue) if query.queue else None,
        task=query.task,
        text=query.q,
        fingerprint=query.fingerprint,
        since_ms=to_ms(query.since),
        until_ms=to_ms(query.until),
    )


async def key_of(request: web.Request, name: str) -> str:
    """The key of the queue that is shown as `name`."""
    return queue_key(name, frozenset(await connection_of(request).reader.known_queues()))


async def known_queue(request: web.Request, name: str) -> str:
    """The key of a queue that was seen. Raises Problem 404."""
    key = await key_of(request, name)
    if key not in await connection_of(request).reader.known_queues():
        raise Problem(404, f"no queue {name!r} was ever seen")
    return key
