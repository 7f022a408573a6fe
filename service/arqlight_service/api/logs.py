"""The log, and charts of what was counted."""

from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from arqlight.journal.log_reader import LogFilter
from arqlight_service.api.answers import page_of
from arqlight_service.api.call import call
from arqlight_service.api.filters import key_of
from arqlight_service.api.requests import Name, Strict
from arqlight_service.api.shapes.answer import Page
from arqlight_service.api.shapes.operator import LogLine
from arqlight_service.api.shapes.queue import Chart
from arqlight_service.app_keys import connection_of
from arqlight_service.auth.roles import Role

routes = web.RouteTableDef()


class LogQuery(Strict):
    """Which lines of the log."""

    level: Literal["debug", "info", "warning", "error"] | None = None
    job: Annotated[str, Field(max_length=256)] | None = None
    task: Name | None = None
    q: Annotated[str, Field(max_length=200)] | None = None
    limit: int = Field(100, ge=1, le=500)
    before: str | None = None
    after: str | None = None

    def filter(self) -> LogFilter:
        """As the reader takes it."""
        return LogFilter(self.level, self.job, self.task, self.q)


class ChartQuery(Strict):
    """Which chart."""

    span: Literal["hour", "day", "week"] = "hour"
    queue: Name | None = None
    """Of one queue; else of all."""


@routes.get("/api/v1/logs")
@call(Role.VIEWER, tag="logs and charts", answers={200: Page[LogLine]}, query=LogQuery, by_connection=True)
async def logs(request: web.Request, query: LogQuery) -> web.Response:
    """Lines of the log, the newest first; `next` is the `before` of the next page."""
    log = connection_of(request, "log").log
    lines, following = await log.lines(query.filter(), limit=query.limit, before=query.before, after=query.after)
    return page_of(lines, following, query.limit)


@routes.get("/api/v1/charts")
@call(Role.VIEWER, tag="logs and charts", answers={200: Chart}, query=ChartQuery, by_connection=True)
async def charts(request: web.Request, query: ChartQuery) -> web.Response:
    """Throughput, failures, and percentiles of waiting and running."""
    key = await key_of(request, query.queue) if query.queue else None
    return web.json_response(await connection_of(request, "counters").counters.chart(query.span, key))
