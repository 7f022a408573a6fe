"""Runs the scenario with one fault, and says what it broke."""

import asyncio
from pathlib import Path

import pytest
from arq.connections import ArqRedis

from arqlight.connections import database
from arqlight.settings import Settings
from tests.storms.database_fault_loop.faulty_proxy import FAULTS
from tests.storms.database_fault_loop.invariants import broken
from tests.storms.database_fault_loop.scenario import Scenario
from tests.storms.database_fault_loop.wire import verbs
from tests.storms.fault_loop.awaits import FaultyTasks, Wait, waits_seen
from tests.storms.fault_loop.faulty_proxy import Position
from tests.storms.fault_loop.loop import Tried

MOST_OF_ONE = 3  # how many times that the same statement is sent are tried
LATE_S = 1.0  # longer than a call may take here, and than a lease


def quicken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases, deadlines and pauses a fraction as long, in their proportions."""
    for place, value in {
        "connections.database.claims.LEASE_MS": 600, "connections.database.journal.LEASE_MS": 600,
        "worker.database_heartbeat.LEASE_MS": 600, "worker.database_heartbeat.BEAT_S": 0.15,
        "worker.heartbeat.BEAT_S": 0.15, "worker.database_heartbeat.CALL_S": 0.6, "worker.database_round.SAFETY_POLL_S": 0.25,
        "worker.database_runner.CALL_S": 0.6, "worker.database_runner.SEVERAL_CALLS_S": 1.0,
        "worker.database_runner.FIRST_PAUSE_S": 0.1, "worker.database_runner.LONGEST_PAUSE_S": 0.3,
        "worker.database_runner.DRAIN_S": 2.0, "connections.database.endings.CALL_S": 0.6,
        "connections.database.writes.CALL_S": 0.6, "connections.database.pool.CONNECT_TIMEOUT_S": 0.6,
        "connections.database.listener.PAUSE_S": 0.2, "connections.database.listener.PING_S": 0.5,
        "connections.database.listener.PING_EVERY_S": 0.5, "worker.ack_buffer.LONGEST_PAUSE_S": 0.3,
        "runtime.progress.ASK_EVERY_S": 0.1,
    }.items():  # fmt: skip
        monkeypatch.setattr(f"arqlight.{place}", value)


class Loop:
    """The scenario on one server."""

    def __init__(self, redis: ArqRedis, postgres: str, settings: Settings) -> None:
        self._redis, self._postgres, self._settings = redis, postgres, settings
        folder = Path(database.__file__).parent / "queries"
        parts = ("columns", "wake")  # of other queries
        self._verbs = verbs([path.stem for path in folder.glob("*.sql") if path.stem not in parts])

    async def positions(self) -> list[Position]:
        """Where a fault can be done: what a run without one sends."""
        run = self._scenario()
        await run.run(None, FAULTS[0], LATE_S)
        found = await broken(run)
        await run.seen.close()
        assert not found, found
        return [
            Position(name, number + 1)
            for name, times in sorted(run.sent.items())
            for number in range(min(times, MOST_OF_ONE))
        ]

    async def waits(self) -> list[Wait]:
        """Where a worker waits in a run without a fault."""
        run = self._scenario(tasks := FaultyTasks(None, ""))
        await run.run(None, "", LATE_S)
        await run.seen.close()
        return waits_seen(tasks)

    async def try_wait(self, wait: Wait, fault: str) -> Tried:
        """The scenario with a fault as a worker waits; needs `awaits.prepare`."""
        _, found = await self._tried(self._scenario(tasks := FaultyTasks(wait, fault)), None, "")
        return tasks.is_done.is_set(), found

    async def try_fault(self, position: Position, fault: str) -> Tried:
        """The scenario with a fault as a worker sends a statement."""
        return await self._tried(self._scenario(), position, fault)

    async def _tried(self, run: Scenario, position: Position | None, fault: str) -> Tried:
        try:
            await run.run(position, fault, LATE_S)
            return run.was_done, await broken(run)
        except TimeoutError:
            return run.was_done, ["jobs did not come to an end", *await broken(run)]
        finally:
            async with asyncio.timeout(5):
                await run.seen.close()

    def _scenario(self, tasks: FaultyTasks | None = None) -> Scenario:
        return Scenario(self._redis, self._postgres, self._settings, self._verbs, tasks)
