"""Runs the scenario with one fault, and says what it broke."""

import pytest
from arq.connections import ArqRedis

from arqlight.settings import Settings
from tests.storms.fault_loop.awaits import FaultyTasks, Wait, waits_seen
from tests.storms.fault_loop.faulty_proxy import FAULTS, Position
from tests.storms.fault_loop.invariants import broken
from tests.storms.fault_loop.scenario import Scenario

MOST_OF_ONE = 3  # how many times that the same command is sent are tried
Tried = tuple[bool, list[str]]  # whether the fault was done, and every invariant that it broke
LATE_S = 1.5  # longer than a call may take here, and than a lease


def quicken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases, deadlines and pauses a fraction as long, in their proportions."""
    for place, value in {
        "journal.scripting.LEASE_MS": 1_000,
        "worker.heartbeat.BEAT_S": 0.25, "worker.worker.BEAT_S": 0.25, "worker.worker.SAFETY_POLL_S": 0.25,
        "journal.dedicated_connection.CALL_S": 0.6, "worker.worker.CALL_S": 0.6, "worker.worker.SEVERAL_CALLS_S": 2.0,
        "worker.heartbeat.SEVERAL_CALLS_S": 2.0, "journal.pubsub.PAUSE_S": 0.2, "worker.wakeup.PAUSE_S": 0.2,
        "worker.stager.PAUSE_S": 0.2, "background.PAUSE_S": 0.2, "worker.wakeup.BLOCK_S": 2,
        "worker.ack_buffer.LONGEST_PAUSE_S": 0.5,
    }.items():  # fmt: skip
        monkeypatch.setattr(f"arqlight.{place}", value)


async def positions_of(redis: ArqRedis, port: int, settings: Settings) -> list[Position]:
    """Where a fault can be done: what a run without one sends."""
    run = Scenario(redis, port, settings)
    await run.run(None, FAULTS[0], LATE_S)
    found = await broken(run)
    assert not found, found
    return [
        Position(command, number + 1)
        for command, times in sorted(run.sent.items())
        for number in range(min(times, MOST_OF_ONE))
    ]


async def waits_of(redis: ArqRedis, port: int, settings: Settings) -> list[Wait]:
    """Where a worker waits in a run without a fault."""
    tasks = FaultyTasks(None, "")
    await Scenario(redis, port, settings, tasks).run(None, "", LATE_S)
    return waits_seen(tasks)


async def try_wait(settings: Settings, redis: ArqRedis, port: int, wait: Wait, fault: str) -> Tried:
    """The scenario with a fault as a worker waits; needs `awaits.prepare`."""
    run = Scenario(redis, port, settings, tasks := FaultyTasks(wait, fault))
    _, found = await _tried(run, None, "")
    return tasks.is_done.is_set(), found


async def try_fault(settings: Settings, redis: ArqRedis, port: int, position: Position, fault: str) -> Tried:
    """The scenario with a fault as a worker sends a command."""
    return await _tried(Scenario(redis, port, settings), position, fault)


async def _tried(run: Scenario, position: Position | None, fault: str) -> Tried:
    try:
        await run.run(position, fault, LATE_S)
    except TimeoutError:
        left = [await run.redis.zrange(queue, 0, -1, withscores=True) for queue in ("arq:queue", "arq:queue:high")]
        return run.was_done, [f"jobs did not come to an end: {left}"]
    return run.was_done, await broken(run)
