"""`python -m tests.benchmarks [--quick] [PART …]`: measures, prints, and writes RESULTS.md and its plot."""

import os
import platform
import sys
import time
from pathlib import Path

import redis

from tests.benchmarks import depth, drain, enqueueing, fanout, pickup, processes, servers
from tests.benchmarks.plot import plot_rates
from tests.benchmarks.report import Table

FOLDER = Path(__file__).parent
# What a quick look leaves out: it takes longer than it tells.
SLOW_PARTS = {"loads", "idle", "depth"}
PARTS = ("drain", "loads", "pickup", "idle", "enqueue", "depth", "claims", "fanout", "processes")


def main(arguments: list[str]) -> None:
    """Measure the parts that are named, or all of them."""
    quick = "--quick" in arguments
    every = [part for part in PARTS if not (quick and part in SLOW_PARTS)]
    chosen = [part for part in PARTS if part in arguments] or every
    began = time.monotonic()
    tables: list[Table] = []
    with servers.running(postgres=bool({"drain", "pickup"} & set(chosen))) as running:
        for part in chosen:
            print(f"\n{part}", flush=True)
            redis.Redis(port=running.redis_port).flushall()
            if part == "drain":
                table, rates = drain.measure(running, quick)
                plot_rates(rates, FOLDER / ("QUICK.svg" if quick else "drain.svg"))
                tables.append(table)
            else:
                measure = {
                    "loads": drain.measure_loads, "pickup": pickup.measure, "idle": pickup.measure_idle,
                    "enqueue": enqueueing.measure, "depth": depth.measure, "claims": depth.measure_claims,
                    "fanout": fanout.measure, "processes": processes.measure,
                }[part]  # fmt: skip
                tables.append(measure(running, quick))
    results = FOLDER / ("QUICK.md" if quick else "RESULTS.md")
    text = _heading(quick, time.monotonic() - began) + "\n" + "\n".join(table.markdown() for table in tables)
    if chosen == every:
        results.write_text(text)
        print(f"\nwritten: {results}")
    else:
        print("\n" + text)


def _heading(quick: bool, took_s: float) -> str:
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.processor())  # fmt: skip
    command = "make bench QUICK=1" if quick else "make bench"
    picture = "" if quick else "\n![Jobs a second](drain.svg)\n"
    return f"""# What `{command}` measured

{time.strftime("%Y-%m-%d")}, {os.cpu_count()} cores of {cpu}, Python {platform.python_version()}, {took_s / 60:.0f} minutes.

One Valkey 9.1 for all, as `arqlight up` starts it (a larger thread cache for the allocator) but without its append-only
file; one PostgreSQL 18 for PgQueuer, at its defaults. Each peer runs in an environment of its own, at the versions given,
with its defaults and with what its documentation recommends (see `peers/`). A task leaves a mark, one byte appended to a
file, the same way for everybody; what is counted are the marks. The machine is shared and its speed drifts: hold a figure
against its neighbour in the same table, and a ratio more than either.
{picture}"""


if __name__ == "__main__":
    main(sys.argv[1:])
