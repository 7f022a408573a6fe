"""The fault loop of PostgreSQL, all of it: every fault at every statement; a table line at the end."""

import os
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from arq.connections import ArqRedis

from arqlight.settings import Settings
from tests.storms.conftest import Say
from tests.storms.database_fault_loop.faulty_proxy import FAULTS
from tests.storms.database_fault_loop.loop import Loop, quicken
from tests.storms.fault_loop import awaits
from tests.storms.fault_loop.awaits import Wait
from tests.storms.fault_loop.faulty_proxy import Position
from tests.storms.fault_loop.loop import Tried
from tests.storms.size import sample

SAMPLE = sample(30)
Place = TypeVar("Place", Position, Wait)
SEED = int(os.environ.get("ARQLIGHT_SEED", "1"))


@pytest.mark.timeout(3 * 3600)
async def test_no_fault_at_any_statement_breaks_an_invariant(
    pool: ArqRedis, postgres: str, settings: Settings, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    quicken(monkeypatch)
    loop = Loop(pool, postgres, settings)
    tries = [(position, fault) for position in await loop.positions() for fault in FAULTS]
    await _try_all("fault loop of PostgreSQL", tries, loop.try_fault, say)


@pytest.mark.timeout(3 * 3600)
async def test_no_fault_where_a_worker_waits_breaks_an_invariant(
    pool: ArqRedis, postgres: str, settings: Settings, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    quicken(monkeypatch)
    awaits.prepare(monkeypatch)
    loop = Loop(pool, postgres, settings)
    tries = [(wait, fault) for wait in await loop.waits() for fault in awaits.FAULTS]
    await _try_all("fault loop of waits, PostgreSQL", tries, loop.try_wait, say)


async def _try_all(
    what: str, tries: list[tuple[Place, str]], attempt: Callable[[Place, str], Awaitable[Tried]], say: Say
) -> None:
    chosen = random.Random(SEED).sample(tries, min(SAMPLE or len(tries), len(tries)))
    done, broken = 0, []
    for place, fault in chosen:
        was_done, found = await attempt(place, fault)
        done += was_done
        broken += [f"{fault} at {place}: {each}" for each in found]
    places, faults = len({place for place, _ in tries}), len({fault for _, fault in tries})
    say(what, f"{places} positions, {faults} faults, {done} of {len(chosen)} done, {len(broken)} broken")
    assert not broken, "\n".join(broken)
