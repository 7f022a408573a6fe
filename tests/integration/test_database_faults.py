"""A sample of the fault loop of PostgreSQL, one try for each fault; all of it is `tests/storms/storm_faults_database.py`."""

import asyncio

import pytest
from arq.connections import ArqRedis

from arqlight.settings import Settings
from tests.storms.database_fault_loop.faulty_proxy import FAULTS
from tests.storms.database_fault_loop.loop import Loop, quicken
from tests.storms.fault_loop.faulty_proxy import Position

TRIES = [
    ("claim", "answer lost"), ("claim", "serialization failure"), ("claim", "silent"), ("finish", "answer lost"),
    ("finish", "data error"), ("finish", "disk full"), ("fail", "deadlock"), ("fail", "cut before"),
    ("reschedule", "answer lost"), ("reschedule", "read-only"), ("beat", "shutdown"), ("give_back", "query cancelled"),
    ("recalled", "too many connections"), ("rescue", "cut off and back"), ("finish", "cut off permanently"),
]  # fmt: skip


def test_the_sample_has_every_fault() -> None:
    assert {fault for _, fault in TRIES} == set(FAULTS)


@pytest.mark.parametrize(("statement", "fault"), TRIES)
async def test_one_fault_at_one_statement_breaks_no_invariant(
    pool: ArqRedis, postgres: str, settings: Settings, monkeypatch: pytest.MonkeyPatch, statement: str, fault: str
) -> None:
    quicken(monkeypatch)
    async with asyncio.timeout(30):
        was_done, broken = await Loop(pool, postgres, settings).try_fault(Position(statement, 1), fault)
    assert was_done
    assert broken == []
