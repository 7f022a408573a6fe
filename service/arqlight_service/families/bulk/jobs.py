"""The jobs of bulk operations: how each is begun, begun again, and how it ended where it could not say so itself."""

import uuid
from typing import Any

from aiohttp import web
from sqlalchemy import Table

from arqlight.connections.connection import Connection
from arqlight.connections.connection_errors import SERVER_ERRORS
from arqlight.errors import ArqlightError, JobNotFound
from arqlight.families.bulk import states
from arqlight.families.bulk.exports import export_table
from arqlight.families.bulk.licences import generate_licence_keys
from arqlight.families.bulk.tables import exports, licence_batches
from arqlight.jobs.display import as_json
from arqlight.tasks import Task
from arqlight_service.api.answers import enqueue, place_of
from arqlight_service.api.problems import Problem
from arqlight_service.families.database import DATABASE

GONE = "its job is gone: it was deleted, or the server lost it"
_TASKS: dict[Table, tuple[Task, str]] = {
    licence_batches: (generate_licence_keys, "batch_id"),
    exports: (export_table, "export_id"),
}


def new_job_id() -> str:
    """An id for the job of an operation: written with the operation, before the job is enqueued."""
    return uuid.uuid4().hex


async def start(request: web.Request, table: Table, row_id: states.Id, job_id: str) -> None:
    """Enqueue the job of an operation."""
    task, argument = _TASKS[table]
    await enqueue(request, task, job_id, **{argument: row_id})


async def start_again(request: web.Request, table: Table, row_id: states.Id, state: str, **values: Any) -> str:
    """Enqueue a new job for an operation that failed or was cancelled; its id. Raises Problem 409."""
    job_id = new_job_id()
    if not await states.restart(request.app[DATABASE], table, row_id, job_id, **values):
        raise Problem(409, f"{row_id} is {state}; only what failed or was cancelled can be retried")
    await start(request, table, row_id, job_id)
    return job_id


async def settled(request: web.Request, table: Table, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Operations as they stand, by what became of their jobs.

    A job that never ran (cancelled while it waited), that was lost with its worker or that is gone could not write how
    it ended: that is written here. Where jobs cannot be looked at now, the rows are as they are.
    """
    open_rows = {row["job_id"]: row for row in rows if row["job_id"] and row["state"] in states.OPEN}
    if not open_rows:
        return rows
    try:
        connection = place_of(request, _TASKS[table][0])
        ends = await _ends(connection, list(open_rows))
    except (*SERVER_ERRORS, ArqlightError):
        return rows
    for job_id, (state, reason) in ends.items():
        row = open_rows[job_id]
        if state in states.STOPPED and not (state == row["state"] and row["reason"]):
            await states.settle(request.app[DATABASE], table, row["id"], job_id, state, reason)
            row |= {"state": state, "reason": as_json(reason)}
        elif state == "waiting" and row["state"] == "cancelled":  # its attempt was cut off, and it has another
            row |= {"state": state}
    return rows


async def _ends(connection: Connection, ids: list[str]) -> dict[str, tuple[str, str]]:
    """Of each job (state, reason): `failed`, `cancelled`, or `waiting` for one that goes on."""
    kept = await connection.reader.kept(ids)
    failures = {each["id"]: each for each in await connection.reader.failed_by_id(ids)}
    found: dict[str, tuple[str, str]] = {}
    for job_id in ids:
        if job_id in failures:
            found[job_id] = ("failed", f"{failures[job_id]['error']}: {failures[job_id]['message']}")
        elif job_id in kept:
            found[job_id] = (kept[job_id], "its job was cancelled" if kept[job_id] == "cancelled" else "its job failed")
        else:
            try:
                state = (await connection.reader.job_json(job_id))["state"]
            except JobNotFound:
                found[job_id] = ("failed", GONE)
            else:
                found[job_id] = ("waiting", "") if state in ("queued", "scheduled") else (state, "")
    return found
