"""The audit list: a page of it as JSON, or all of it as lines of JSON."""

import json
from datetime import UTC, datetime
from typing import Literal

from aiohttp import web
from pydantic import AwareDatetime, Field

from arqlight.errors import CursorInvalid
from arqlight.journal.audit_entry import KINDS, Kind, id_at
from arqlight_service.api.answers import page_of
from arqlight_service.api.call import call
from arqlight_service.api.requests import Strict
from arqlight_service.api.shapes.answer import Page
from arqlight_service.api.shapes.audit import AuditEntry
from arqlight_service.app_keys import connection_of
from arqlight_service.audit.trail import TRAIL
from arqlight_service.auth.roles import Role

routes = web.RouteTableDef()
LINES = "application/x-ndjson"


class AuditQuery(Strict):
    """Which entries."""

    kind: Kind | None = None
    """One kind; all by default."""
    since: AwareDatetime | None = None
    """None from before."""
    limit: int = Field(200, ge=1, le=1_000)
    cursor: str | None = Field(None, max_length=100)
    """`next` of the page before."""
    format: Literal["json", "jsonl"] = "json"
    """`jsonl`: every entry from the cursor on, one JSON object a line, whatever `limit` says."""


@routes.get("/api/v1/audit")
@call(Role.VIEWER, tag="audit", answers={200: Page[AuditEntry]}, query=AuditQuery, by_connection=True, lines=True)
async def audit(request: web.Request, query: AuditQuery) -> web.StreamResponse:
    """Who did what, from where, from what to what, and how it ended; the newest first."""
    if "connection" in request.query:
        connection_of(request, "audit")
    kinds = KINDS if query.kind is None else (query.kind,)
    before = _place(query.cursor)
    since = "" if query.since is None else id_at(_ms(query.since))
    trail = request.app[TRAIL]
    if query.format == "jsonl":
        response = web.StreamResponse(headers={"Content-Type": LINES, "Cache-Control": "no-store"})
        entries = trail.all(kinds, before, since)
        first = await anext(entries, None)  # a server that is away is said before the answer begins
        await response.prepare(request)
        if first is not None:
            await response.write(_line(first.to_json()))
            async for entry in entries:
                await response.write(_line(entry.to_json()))
        return response
    found = await trail.newest(kinds, before, since, query.limit + 1)
    shown, more = found[: query.limit], len(found) > query.limit
    return page_of([each.to_json() for each in shown], shown[-1].id if more else None, query.limit)


def _place(cursor: str | None) -> str:
    """Raises CursorInvalid."""
    if not cursor:
        return ""
    ms, dash, rest = cursor.partition("-")
    if not (dash and ms.isascii() and ms.isdigit() and rest.isalnum() and rest.isascii()):
        raise CursorInvalid(cursor)
    return cursor


def _ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)


def _line(entry: object) -> bytes:
    return json.dumps(entry).encode() + b"\n"
