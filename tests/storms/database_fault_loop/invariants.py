"""What must hold when all is quiet again, whatever fault there was."""

import json
from typing import Any

from tests.storms.database_fault_loop.scenario import Scenario
from tests.storms.fault_loop.invariants import MAY_FAIL, RIGHT
from tests.storms.fault_loop.jobs import JOBS

STATES = {"successful": "succeeded", "canceled": "cancelled", "failed": "failed"}


async def broken(run: Scenario) -> list[str]:
    """Every invariant that does not hold, in words."""
    found = [] if run.closed else ["a worker did not stop in time"]
    if run.tasks and not run.worked_or_stopped:
        found.append("the worker neither worked on nor stopped")
    async with run.seen.pool.acquire() as connection:
        held = await connection.fetch("SELECT * FROM arqlight_jobs.pgqueuer")
        ended = await connection.fetch("SELECT * FROM arqlight_jobs.ended")
        log = await connection.fetch("SELECT * FROM arqlight_jobs.pgqueuer_log ORDER BY id")
        lines = await connection.fetch("SELECT * FROM arqlight_jobs.lines")
    if left := [(row["dedupe_key"], row["status"]) for row in held if row["status"] != "failed"]:
        found.append(f"left: {left}")
    for job in JOBS:
        rows = [(row["id"], "failed", row["attempts"] + 1) for row in held if row["dedupe_key"] == job]
        rows += [(row["number"], row["status"], row["attempts"]) for row in ended if row["id"] == job]
        if len(rows) != 1:
            found.append(f"{job} is in {len(rows)} states at once: {rows}")
            continue
        number, state, attempts = rows[0]
        found += _of_job(run, job, state, attempts, [entry for entry in log if entry["job_id"] == number])
    stats = (await run.seen.reader.overview()).stats()
    failed = sum(row["status"] == "failed" for row in held)
    if (stats["failed"], stats["processing"], stats["queued"]) != (failed, 0, 0):
        found.append(f"the overview counts {stats}")
    told = [row["number"] for row in ended if row["id"] == "told"]
    if told and len([line for line in lines if line["number"] in told]) < 1:
        found.append("nothing is left of the log of 'told'")
    return found


def _of_job(run: Scenario, job: str, state: str, attempts: int, log: list[Any]) -> list[str]:
    found = []
    tracebacks = [_read(entry["traceback"]) for entry in log]
    reasons = [told for told in tracebacks if "exception_type" in told]
    may_fail = any(told["exception_type"] in MAY_FAIL for told in reasons)
    if state not in RIGHT.get(job, {"succeeded"}) and not may_fail:
        found.append(f"{job} {state}: {reasons}")
    if not run.jobs.ran[job] and state == "succeeded":
        found.append(f"{job} never ran")
    if not log or STATES.get(log[-1]["status"]) != state:
        found.append(f"{job} {state}, but its last entry is {log[-1]['status'] if log else None}")
    claims = sum(entry["status"] == "picked" for entry in log)
    if run.jobs.ran[job] > claims:
        found.append(f"{job} ran {run.jobs.ran[job]} times in {claims} claims")
    back = [told for told, entry in zip(tracebacks, log, strict=True) if entry["status"] == "queued"]
    stopped = sum(told.get("exception_type") == "WorkerStopped" for told in back)
    uncounted = stopped + sum(told.get("reason") == "unclaimed" for told in tracebacks)
    counted = sum("exception_type" in told for told in back) - stopped
    # Each claim but the last went back: counted with its reason, or uncounted with an entry that says so.
    if claims - 1 != counted + uncounted:
        found.append(f"{job} was claimed {claims} times, {counted} went back counted and {uncounted} uncounted")
    # Of two claims that were cut short in a row the second counts, and has no reason but the stop.
    if not 1 + counted <= attempts <= claims:
        found.append(f"{job} says {attempts} attempts, {counted} went back counted and {uncounted} uncounted")
    return found


def _read(traceback: Any) -> dict[str, Any]:
    told = json.loads(traceback) if isinstance(traceback, str) else traceback
    return told or {}
