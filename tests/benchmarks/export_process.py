"""One export, or PostgreSQL's own COPY, in a fresh process: `python -m tests.benchmarks.export_process KIND FOLDER`.

Prints, as JSON, rows a second and the process's memory at its peak and before the first row, in MB.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import psycopg

from arqlight.bundled import close_clients, open_clients
from arqlight.families.bulk.exports import export_table, new_export
from arqlight.settings import load_settings


def peak_mb() -> float:
    """The most memory this process ever held: not `ru_maxrss`, which begins with what the parent held."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


async def export(kind: str, folder: Path) -> dict[str, float]:
    """Run the task as a worker would."""
    ctx: dict[str, Any] = {"settings": load_settings(data_dir=folder), "job_id": "bench", "job_try": 1}
    await open_clients(ctx)
    try:
        export_id = await new_export(ctx["database"], "licences", kind)
        before, began = peak_mb(), time.perf_counter()
        told = await export_table(ctx, export_id)
        return {"rate": told["rows"] / (time.perf_counter() - began), "peak": peak_mb(), "before": before,
                "size": told["size_bytes"] / 1e6}  # fmt: skip
    finally:
        await close_clients(ctx)


def copy(folder: Path) -> dict[str, float]:
    """What PostgreSQL itself needs to write the same rows as CSV."""
    before, began = peak_mb(), time.perf_counter()
    with psycopg.connect(os.environ["ARQLIGHT_DATABASE_URL"]) as connection, (folder / "copied.csv").open("wb") as file:
        with connection.cursor().copy("COPY arqlight.licences TO STDOUT (FORMAT csv, HEADER)") as rows:
            for part in rows:
                file.write(part)
        found = connection.execute("SELECT count(*) FROM arqlight.licences").fetchone()
    assert found
    return {"rate": found[0] / (time.perf_counter() - began), "peak": peak_mb(), "before": before,
            "size": (folder / "copied.csv").stat().st_size / 1e6}  # fmt: skip


if __name__ == "__main__":
    kind, where = sys.argv[1], Path(sys.argv[2])
    sys.stdout.write(json.dumps(copy(where) if kind == "copy" else asyncio.run(export(kind, where))))
