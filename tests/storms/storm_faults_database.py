"""The fault loop of PostgreSQL, all of it: every fault at every statement; a table line at the end."""

import os
import random

import pytest
from arq.connections import ArqRedis

from arqlight.settings import Settings
from tests.storms.conftest import Say
from tests.storms.database_fault_loop.faulty_proxy import FAULTS
from tests.storms.database_fault_loop.loop import Loop, quicken
from tests.storms.size import sample

SAMPLE = sample(30)
SEED = int(os.environ.get("ARQLIGHT_SEED", "1"))


@pytest.mark.timeout(3 * 3600)
async def test_no_fault_at_any_statement_breaks_an_invariant(
    pool: ArqRedis, postgres: str, settings: Settings, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    quicken(monkeypatch)
    loop = Loop(pool, postgres, settings)
    positions = await loop.positions()
    tries = [(position, fault) for position in positions for fault in FAULTS]
    if SAMPLE:
        tries = random.Random(SEED).sample(tries, min(SAMPLE, len(tries)))
    done, broken = 0, []
    for position, fault in tries:
        was_done, found = await loop.try_fault(position, fault)
        done += was_done
        broken += [f"{fault} at {position.command} #{position.number}: {each}" for each in found]
    say(
        "fault loop of PostgreSQL",
        f"{len(positions)} positions, {len(FAULTS)} faults, {done} of {len(tries)} done, {len(broken)} broken",
    )
    assert not broken, "\n".join(broken)
