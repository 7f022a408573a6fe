"""The pages: server-rendered first, so they read without JavaScript; `live.js` keeps them true."""

import datetime
import json
from typing import Any
from urllib.parse import quote

import aiohttp_jinja2
from aiohttp import web

from service.feed import FAILED_ROWS
from service.parts import JOURNAL, READER
from service.problems import Problem
from service.requests import parse_id
from service.standing import standing

routes = web.RouteTableDef()
LONGEST_LINE = 140
_UNITS = ((86_400 * 365, "year"), (86_400 * 30, "month"), (86_400, "day"), (3_600, "hour"), (60, "minute"))


def ago(moment: str | None) -> str:
    """An ISO time in words, "3 minutes ago" or "in 2 hours", as `Intl.RelativeTimeFormat` says it in the browser."""
    if moment is None:
        return "—"
    seconds = (datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(moment)).total_seconds()
    for size, unit in _UNITS:
        if abs(seconds) >= size:
            number = int(abs(seconds) // size)
            words = f"{number} {unit}{'' if number == 1 else 's'}"
            return f"{words} ago" if seconds > 0 else f"in {words}"
    return "just now" if seconds >= 0 else "in a moment"


def one_line(text: str | None) -> str:
    """Text cut to one line."""
    first = " ".join((text or "").split())
    return first if len(first) <= LONGEST_LINE else first[: LONGEST_LINE - 1] + "…"


def pretty(value: Any) -> str:
    """A JSON value, laid out."""
    return json.dumps(value, indent=2, ensure_ascii=False)


FILTERS = {"ago": ago, "one_line": one_line, "pretty": pretty, "path": lambda text: quote(text, safe="")}


@routes.get("/")
@aiohttp_jinja2.template("dashboard.html")
async def dashboard(request: web.Request) -> dict[str, Any]:
    """The three figures, the active jobs, the failed jobs."""
    overview = await request.app[READER].overview()
    stats = overview.stats()
    failed, following = await request.app[READER].failed(limit=FAILED_ROWS)
    return {
        "page": "dashboard",
        "stats": stats,
        "standing": standing(stats),
        "active": [job.to_json() for job in overview.active],
        "failed": failed,
        "more": following is not None,
        "rows": FAILED_ROWS,
    }


@routes.get("/failed")
@aiohttp_jinja2.template("failed.html")
async def failed_list(request: web.Request) -> dict[str, Any]:
    """All failed jobs, a page at a time."""
    overview = await request.app[READER].overview()
    failed, following = await request.app[READER].failed(cursor=request.query.get("cursor"))
    return {"page": "failed", "total": overview.failed, "failed": failed, "next": following}


@routes.get("/jobs/{id}")
@aiohttp_jinja2.template("job.html")
async def job_page(request: web.Request) -> dict[str, Any]:
    """One job: arguments, attempts with their traces, timeline."""
    return {"page": "job", "job": await request.app[READER].job_json(parse_id(request))}


@routes.post("/failed/{id}/{action}")
async def act(request: web.Request) -> web.Response:
    """Retry and Delete for browsers without JavaScript: do it, and show the page it came from."""
    job_id, action = parse_id(request), request.match_info["action"]
    if action == "retry":
        await request.app[JOURNAL].retry(job_id)
    elif action == "delete":
        await request.app[JOURNAL].delete(job_id)
    else:
        raise Problem(404, f"nothing is at {request.path}")
    back = request.headers.get("Referer", "")
    raise web.HTTPSeeOther("/failed" if back.endswith("/failed") else "/")
