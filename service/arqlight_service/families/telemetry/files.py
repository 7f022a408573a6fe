"""Rows as a file that is downloaded while it is read from the database."""

import csv
import io
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from aiohttp import web

from arqlight.families.spreadsheet_cells import shown_cell

KINDS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
Rows = list[dict[str, Any]]


async def send_file(
    request: web.Request, name: str, kind: str, columns: Sequence[str], groups: AsyncGenerator[Rows, None]
) -> web.StreamResponse:
    """Send all `groups` as `name`.csv (RFC 4180, `columns` first) or `name`.jsonl (an object a line)."""
    async with aclosing(groups) as rest:
        first: Rows = await anext(rest, [])  # a database that is away is said before the answer begins
        response = web.StreamResponse(
            headers={
                "Content-Type": KINDS[kind],
                "Content-Disposition": f'attachment; filename="{name}.{kind}"',
                "Cache-Control": "private, no-store",
            }
        )
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        try:
            if kind == "csv":
                await response.write(_csv([list(columns)]))
            await response.write(_written(kind, columns, first))
            async for rows in rest:
                await response.write(_written(kind, columns, rows))
        except BaseException:  # whoever reads it has to see that it is not whole
            if request.transport is not None:
                request.transport.close()
            raise
    return response


def _written(kind: str, columns: Sequence[str], rows: Rows) -> bytes:
    if kind == "csv":
        return _csv([[shown_cell(row[name]) for name in columns] for row in rows])
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode("utf-8", "replace")


def _csv(lines: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(lines)
    return text.getvalue().encode("utf-8", "replace")
