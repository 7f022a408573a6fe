"""A process that is started again when it dies, and one that never began."""

import asyncio
import sys
from pathlib import Path

import pytest

from arqlight.worker import child as module
from arqlight.worker.child import EXIT_USAGE, Child
from tests.support.waiting import eventually

SCRIPT = """
import os, signal, sys
from pathlib import Path
starts = Path(sys.argv[1])
starts.write_text(starts.read_text() + "x")
how = sys.argv[2].split(",")[min(len(starts.read_text()), len(sys.argv[2].split(","))) - 1]
os.kill(os.getpid(), signal.SIGKILL) if how == "kill" else sys.exit(int(how))
"""


@pytest.fixture
def starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.01)
    path = tmp_path / "starts"
    path.write_text("")
    return path


def child(starts: Path, ways: str, said: list[str], *, may_end: bool = False, must_begin: bool = True) -> Child:
    """It ends in the first way at its first start, and so on; in the last one ever after."""
    command = [sys.executable, "-c", SCRIPT, str(starts), ways]
    return Child("it", command, said.append, may_end=may_end, must_begin=must_begin)


@pytest.mark.parametrize(
    ("ways", "may_end", "must_begin", "code"),
    [("1", False, True, 1), ("kill,0", True, True, 0), ("1,0", True, False, 0), (f"kill,{EXIT_USAGE}", False, True, 2)],
)
async def test_it_stays_ended(starts: Path, ways: str, may_end: bool, must_begin: bool, code: int) -> None:
    said: list[str] = []
    assert await child(starts, ways, said, may_end=may_end, must_begin=must_begin).keep_alive() == code
    assert len(starts.read_text()) == len(ways.split(","))


@pytest.mark.parametrize("ways", ["kill", "kill,1", "0"])
async def test_it_is_started_again_until_it_is_stopped(starts: Path, ways: str) -> None:
    said: list[str] = []
    it = child(starts, ways, said)
    task = asyncio.create_task(it.keep_alive())
    await eventually(lambda: len(starts.read_text()) > 3)
    it.stop()
    assert await task in (0, 1)
    assert all("another in" in each for each in said)
