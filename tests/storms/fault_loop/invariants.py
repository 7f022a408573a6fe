"""What must hold when all is quiet again, whatever fault there was."""

import json
from typing import Any

from arq.connections import ArqRedis

from tests.storms.fault_loop.awaits import InjectedError, InjectedExit
from tests.storms.fault_loop.jobs import HIGH, JOBS, QUEUE
from tests.storms.fault_loop.scenario import Scenario

ENDS = ("succeeded", "failed", "cancelled")
# How each job ends when nothing is wrong; "off" may have ended before it was called off, or been too quick for it.
MAY_FAIL = {"EndingRefused", InjectedError.__name__, InjectedExit.__name__}
RIGHT = {"bad": {"failed"}, "off": {"cancelled", "succeeded"}}


async def broken(run: Scenario) -> list[str]:
    """Every invariant that does not hold, in words."""
    redis, found = run.redis, [] if run.closed else ["a worker did not stop in time"]
    if run.tasks and not run.worked_or_stopped:
        found.append("the worker neither worked on nor stopped")
    ended = {state: {id_.decode() for id_ in await redis.zrange(f"arqlight:{state}", 0, -1)} for state in ENDS}
    for job in JOBS:
        found += await _of_job(redis, run, job, [state for state in ENDS if job in ended[state]])
    found += await _nothing_left(redis)
    counted = {name.decode(): int(value) for name, value in (await redis.hgetall("arqlight:totals")).items()}  # type: ignore[misc]
    for state in ("succeeded", "failed"):
        number = sum(counted.get(f"{state} {queue}", 0) for queue in (QUEUE, HIGH))
        if number != len(ended[state]):
            found.append(f"{number} are counted as {state}, {len(ended[state])} are listed")
    return found


async def _of_job(redis: ArqRedis, run: Scenario, job: str, states: list[str]) -> list[str]:
    if len(states) != 1:
        return [f"{job} is in {len(states)} states at once: {states}"]
    [state] = states
    found = []
    history = [json.loads(entry) for entry in await redis.lrange(f"arqlight:history:{job}", 0, -1)]  # type: ignore[misc]
    may_fail = any(entry.get("error") in MAY_FAIL for entry in history)
    if state not in RIGHT.get(job, {"succeeded"}) and not may_fail:
        found.append(f"{job} {state}: {[(entry.get('error'), entry.get('message')) for entry in history]}")
    if not run.jobs.ran[job] and state == "succeeded":
        found.append(f"{job} never ran")
    events = [_fields(fields) for _, fields in await redis.xrange("arqlight:events")]
    mine = [event for event in events if event["job"] == job]
    if not mine or mine[-1]["state"] != state:
        found.append(f"{job} {state}, but its last event is {mine[-1] if mine else None}")
    claims = sum(event["state"] == "processing" for event in mine)
    if run.jobs.ran[job] > claims:
        found.append(f"{job} ran {run.jobs.ran[job]} times in {claims} claims")
    # Each run but the last was counted with its reason, or went back uncounted with an event that says so.
    uncounted = sum(event["state"] == "queued" and "failure" not in event for event in mine[1:])
    reasons = sum(entry.get("kind") == "failure" for entry in history)
    if run.jobs.ran[job] - 1 > reasons + uncounted:
        found.append(f"{job} ran {run.jobs.ran[job]} times, with {reasons} reasons in its history")
    if await redis.exists(f"arq:job:{job}", f"arq:retry:{job}", f"arq:in-progress:{job}"):
        found.append(f"{job} {state}, and keys of arq's are left: {await redis.keys(f'arq:*:{job}')}")
    keeps = state in ("failed", "cancelled")
    if keeps != bool(await redis.exists(f"arqlight:payload:{job}")):
        found.append(f"{job} {state}, and its kept arguments say otherwise")
    if keeps and await redis.ttl(f"arqlight:payload:{job}") != -1:
        found.append(f"the arguments of {job} expire")
    return found


def _fields(fields: dict[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in fields.items()}


async def _nothing_left(redis: ArqRedis) -> list[str]:
    found: list[str] = []
    running = [line for line in (await redis.hvals("arqlight:lines")) if line.split(b" ")[5] == b"-"]  # type: ignore[misc]
    if running:
        found.append(f"records say that jobs run: {running}")
    for pattern in ("arqlight:processing:*", "arqlight:claimed:*", "arq:abort"):
        left: list[Any] = await redis.keys(pattern)
        if left:
            found.append(f"left: {left}")
    return found
