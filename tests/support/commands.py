"""`arqlight …` as a process of its own, until it ends."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from tests.conftest import ROOT


class Ended(NamedTuple):
    """Its exit code, and what it wrote to standard error and to standard output."""

    code: int
    told: str
    printed: str


def run(
    *command: str, cwd: Path = ROOT, path: Path | None = None, environment: Mapping[str, str] = MappingProxyType({}),
    stdin: str = "",
) -> Ended:  # fmt: skip
    """Run a command; packages in `path` are found. No server answers, unless `environment` names one."""
    search = os.pathsep.join(str(each) for each in (path, ROOT) if each is not None)
    done = subprocess.run(
        [sys.executable, "-m", "arqlight_service", *command], input=stdin, capture_output=True, text=True, check=False, timeout=60,
        cwd=cwd, env=os.environ | {"PYTHONPATH": search, "ARQLIGHT_REDIS_URL": "redis://127.0.0.1:1/0"} | dict(environment),
    )  # fmt: skip
    return Ended(done.returncode, done.stderr, done.stdout)


def assert_one_sentence(ended: Ended, said: str) -> None:
    """It ended with exit code 2 and one line, which says what was wrong."""
    assert ended.code == 2, ended.told
    assert said in ended.told
    assert len(ended.told.splitlines()) == 1, ended.told
    assert ended.told.startswith("arqlight: ")
