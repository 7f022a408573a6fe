"""`python -m tests.benchmarks [--quick] [PART …]`: measures, prints, and writes RESULTS.md and its plot.

Each part keeps its last table in `results/`; RESULTS.md is made of them, so a part can be measured again by itself.
"""

import os
import platform
import sys
import time
from pathlib import Path

import redis

from tests.benchmarks import (
    database,
    depth,
    drain,
    enqueueing,
    families,
    fanout,
    pickup,
    processes,
    profile,
    servers,
    start,
)
from tests.benchmarks.plot import plot_rates
from tests.benchmarks.report import Table

FOLDER = Path(__file__).parent
# What a quick look leaves out: it takes longer than it tells.
SLOW_PARTS = {"loads", "idle", "depth", "database"}
MEASURES = {
    "start": start.measure,
    "profile": profile.measure,
    "loads": drain.measure_loads,
    "pickup": pickup.measure,
    "idle": pickup.measure_idle,
    "enqueue": enqueueing.measure,
    "depth": depth.measure,
    "claims": depth.measure_claims,
    "fanout": fanout.measure,
    "processes": processes.measure,
    "exports": families.measure_exports,
    "telemetry": families.measure_telemetry,
    "database": database.measure,
}
PARTS = ("drain", *MEASURES)


def main(arguments: list[str]) -> None:
    """Measure the parts that are named, or all of them."""
    quick = "--quick" in arguments
    unknown = sorted(set(arguments) - {"--quick", *PARTS})
    if unknown:
        sys.stderr.write(f"no part {unknown[0]!r}; there are {', '.join(PARTS)}\n")
        sys.exit(2)
    every = [part for part in PARTS if not (quick and part in SLOW_PARTS)]
    chosen = [part for part in PARTS if part in arguments] or every
    began = time.monotonic()
    tables: list[Table] = []
    with servers.running(
        postgres=bool({"drain", "pickup", "exports", "telemetry", "database"} & set(chosen))
    ) as running:
        for part in chosen:
            print(f"\n{part}", flush=True)
            redis.Redis(port=running.redis_port).flushall()
            if part == "drain":
                table, rates = drain.measure(running, quick)
                plot_rates(rates, FOLDER / ("QUICK.svg" if quick else "drain.svg"))
            else:
                table = MEASURES[part](running, quick)
            tables.append(table)
            if not quick:
                (FOLDER / "results" / f"{part}.md").write_text(f"{table.markdown()}\n{_stamp()}\n")
    took = f"\nTook {(time.monotonic() - began) / 60:.1f} minutes."
    if quick:
        text = "\n".join([_heading("make bench QUICK=1"), *(table.markdown() for table in tables), _stamp()])
        (FOLDER / "QUICK.md").write_text(text)
    else:
        kept = [FOLDER / "results" / f"{part}.md" for part in PARTS]
        parts = [path.read_text() for path in kept if path.exists()]
        (FOLDER / "RESULTS.md").write_text("\n".join([_heading("make bench"), "![Jobs a second](drain.svg)\n", *parts]))
    print("\n".join([*(table.markdown() for table in tables), took]))


def _stamp() -> str:
    return f"*Measured {time.strftime('%Y-%m-%d %H:%M')}.*\n"


def _heading(command: str) -> str:
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.processor())  # fmt: skip
    return f"""# What `{command}` measured

{os.cpu_count()} cores of {cpu}, Python {platform.python_version()}.

One Valkey 9.1 for all, as `arqlight up` starts it (a larger thread cache for the allocator) but without its append-only
file; one PostgreSQL 18 for PgQueuer, at its defaults. Each peer runs in an environment of its own, at the versions given,
with its defaults and with what its documentation recommends (see `peers/`). A task leaves a mark, one byte appended to a
file, the same way for everybody; what is counted are the marks. The machine is shared and its speed drifts: hold a figure
against its neighbour in the same table, and a ratio more than either.
"""


if __name__ == "__main__":
    main(sys.argv[1:])
