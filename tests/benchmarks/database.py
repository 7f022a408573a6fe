"""The database driver beside PgQueuer alone, which it stands on: what tracking costs."""

import asyncio

import asyncpg

from tests.benchmarks.peer import Peer, Run
from tests.benchmarks.report import Table, median
from tests.benchmarks.servers import Servers

# With PgQueuer's batches of 100: half of max_jobs is a batch.
OURS = Peer("arqlight_database", "200", 20_000, "max_jobs 200, uvloop", (("BENCH_UVLOOP", "1"),))
THEIRS = Peer("pgqueuer", "best", 20_000, "batches of 100, uvloop")
AIM = "0.9 times PgQueuer"


def measure(servers: Servers, quick: bool) -> Table:
    """Jobs a second of each, by turns, on emptied tables."""
    rates: dict[Peer, list[float]] = {OURS: [], THEIRS: []}
    for _ in range(2 if quick else 5):
        for peer in rates:
            asyncio.run(_empty(servers.postgres_url))
            rates[peer].append(Run(peer, servers).drain())
    about = (
        "No-op jobs of one queue in PostgreSQL, one worker process, all enqueued before, by turns on emptied tables."
    )
    table = Table("Database driver", ["engine", "jobs/s", "part of PgQueuer's", "aim"], about)
    part = [ours / theirs for ours, theirs in zip(rates[OURS], rates[THEIRS], strict=True)]
    table.add(THEIRS.label, rates[THEIRS], 1, "")
    table.add(OURS.label, rates[OURS], f"{median(part):.3g} ({min(part):.3g} to {max(part):.3g})", AIM)
    return table


async def _empty(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "DROP SCHEMA IF EXISTS arqlight_jobs CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public"
    )
    await connection.close()
