"""What it costs to be there: the commands, the import, and a worker of five tasks; beside arq, in a fresh environment."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from arq.connections import RedisSettings, create_pool

from tests.benchmarks.report import Table, median
from tests.benchmarks.servers import Servers

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
SETTLED_S = 3.0  # after its first job a worker still loads what it needs now and then
APPLICATION = """
import os
from arq.connections import RedisSettings

async def one(ctx): ...
async def two(ctx): ...
async def three(ctx): ...
async def four(ctx): ...
async def five(ctx): ...

class WorkerSettings:
    functions = [one, two, three, four, five]
    redis_settings = RedisSettings.from_dsn(os.environ["APP_REDIS"])
"""
WORKERS = {"arq": ("arq", "app.WorkerSettings"), "arqlight": ("arqlight", "worker", "app.WorkerSettings")}


def measure(servers: Servers, quick: bool) -> Table:
    """Seconds and MB of each, in turn."""
    rounds = 3 if quick else 7
    table = Table(
        "Start", ["what", "arq", "arqlight", "ratio", "aim"],
        "The wheel without extras in an environment of its own; arq is the one installed with it. A worker is ready when "
        "it has run a job that waited; its memory is what is resident three seconds later.",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        bin_folder = _environment(Path(folder))
        (Path(folder) / "app.py").write_text(APPLICATION)
        commands = {"arq": [bin_folder / "arq", "--version"], "arqlight": [bin_folder / "arqlight", "--version"]}
        _compare(table, "`--version`, s", {name: _times(command, rounds) for name, command in commands.items()}, 1.5)
        imports = {name: [bin_folder / "python", "-c", f"import {name}"] for name in WORKERS}
        _compare(table, "`import`, s", {name: _times(command, rounds) for name, command in imports.items()}, 1.3)
        ready: dict[str, list[float]] = {name: [] for name in WORKERS}
        memory: dict[str, list[float]] = {name: [] for name in WORKERS}
        for _ in range(rounds):
            for name, command in WORKERS.items():
                took_s, resident_mb = asyncio.run(
                    _worker(servers, Path(folder), [bin_folder / command[0], *command[1:]])
                )
                ready[name].append(took_s)
                memory[name].append(resident_mb)
        table.add("a worker's memory, MB", memory["arq"], memory["arqlight"], _ratio(memory), "1.3 times arq's")
        table.add("a worker is ready, s", ready["arq"], ready["arqlight"], _ratio(ready), "1 s")
    return table


def _environment(folder: Path) -> Path:
    """The wheel of this checkout, installed; where its commands are."""
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([UV, "build", "--wheel", "--out-dir", folder / "dist", ROOT], **quiet)  # type: ignore[call-overload]
    subprocess.run([UV, "venv", "--python", sys.executable, folder / "env"], **quiet)  # type: ignore[call-overload]
    [wheel] = (folder / "dist").glob("*.whl")
    python = folder / "env" / "bin" / "python"
    subprocess.run([UV, "pip", "install", "--compile-bytecode", "--python", python, wheel], **quiet)  # type: ignore[call-overload]
    return folder / "env" / "bin"


def _times(command: list[object], rounds: int) -> list[float]:
    times = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - began)
    return times[1:]  # the first one reads files that were not in memory


async def _worker(servers: Servers, folder: Path, command: list[object]) -> tuple[float, float]:
    """Seconds from its start until it has run a job, and its memory then, in MB."""
    pool = await create_pool(RedisSettings.from_dsn(servers.redis_url))
    await pool.flushdb()
    job = await pool.enqueue_job("one")
    began = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command], cwd=folder, env=os.environ | {"APP_REDIS": servers.redis_url, "PYTHONPATH": "."},
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        if job is None:
            raise RuntimeError("the job was not enqueued")
        await job.result(timeout=30, poll_delay=0.005)
        took_s = time.perf_counter() - began
        await asyncio.sleep(SETTLED_S)
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        return took_s, pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    finally:
        process.terminate()
        process.wait()
        await pool.aclose()


def _compare(table: Table, what: str, figures: dict[str, list[float]], aim: float) -> None:
    table.add(what, figures["arq"], figures["arqlight"], _ratio(figures), f"{aim:g} times arq's")


def _ratio(figures: dict[str, list[float]]) -> float:
    return median([ours / theirs for theirs, ours in zip(figures["arq"], figures["arqlight"], strict=True)])
