"""Runs the scenario with one fault, and says what it broke."""

import pytest
from arq.connections import ArqRedis

from arqlight.settings import Settings
from tests.storms.fault_loop.faulty_proxy import FAULTS, Position
from tests.storms.fault_loop.invariants import broken
from tests.storms.fault_loop.scenario import Scenario

MOST_OF_ONE = 3  # how many times that the same command is sent are tried
LATE_S = 1.5  # longer than a call may take here, and than a lease


def quicken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases, deadlines and pauses a fraction as long, in their proportions."""
    for place, value in {
        "journal.scripting.LEASE_MS": 1_000,
        "worker.heartbeat.BEAT_S": 0.25, "worker.worker.BEAT_S": 0.25, "worker.worker.SAFETY_POLL_S": 0.25,
        "journal.dedicated_connection.CALL_S": 0.6, "worker.worker.CALL_S": 0.6, "worker.worker.SEVERAL_CALLS_S": 2.0,
        "worker.heartbeat.SEVERAL_CALLS_S": 2.0, "journal.pubsub.PAUSE_S": 0.2, "worker.wakeup.PAUSE_S": 0.2,
        "worker.stager.PAUSE_S": 0.2, "runtime.background.PAUSE_S": 0.2, "worker.wakeup.BLOCK_S": 2,
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


async def try_fault(
    redis: ArqRedis, port: int, settings: Settings, position: Position, fault: str
) -> tuple[bool, list[str]]:
    """Whether the fault was done, and every invariant that it broke."""
    run = Scenario(redis, port, settings)
    try:
        await run.run(position, fault, LATE_S)
    except TimeoutError:
        left = [await redis.zrange(queue, 0, -1, withscores=True) for queue in ("arq:queue", "arq:queue:high")]
        return run.was_done, [f"jobs did not come to an end: {left}"]
    return run.was_done, await broken(run)
