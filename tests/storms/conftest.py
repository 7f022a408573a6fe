"""What the storms share: where jobs note that they ran, and the table at the end."""

from collections.abc import Callable
from pathlib import Path

import pytest

Say = Callable[[str, str], None]
_TABLE = pytest.StashKey[list[tuple[str, str]]]()


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes"
    path.touch()
    return path


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Say:
    """A line of the table: which storm, and what came of it."""

    def line(storm: str, outcome: str) -> None:
        request.config.stash.setdefault(_TABLE, []).append((storm, outcome))

    return line


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table."""
    table = config.stash.get(_TABLE, [])
    if table:
        terminalreporter.section("storms")
        for storm, outcome in table:
            terminalreporter.write_line(f"{storm:<28} {outcome}")
