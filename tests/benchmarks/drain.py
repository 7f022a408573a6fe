"""How many jobs a second one worker process runs that were all enqueued before."""

from tests.benchmarks.peer import Peer, PeerFailed, Run
from tests.benchmarks.report import Table, median
from tests.benchmarks.servers import Servers

OURS = Peer("arqlight", "100", 120_000, "max_jobs 100, three queues")
PEERS = [
    Peer("arqlight", "10", 50_000, "max_jobs 10, three queues"),
    Peer("arq", "default", 1_000, "defaults (max_jobs 10)"),
    Peer("arq", "best", 4_000, "max_jobs 100"),
    Peer("huey", "default", 12_000, "defaults, 1 thread"),
    Peer("huey", "best", 12_000, "no results, 1 thread"),
    Peer("pgqueuer", "default", 25_000, "batches of 10"),
    Peer("pgqueuer", "best", 40_000, "batches of 100, uvloop"),
    Peer("dramatiq", "default", 8_000, "8 threads"),
    Peer("dramatiq", "best", 16_000, "1 thread, prefetch 1,000"),
    Peer("taskiq", "default", 5_000, "Redis streams"),
    Peer("taskiq", "best", 5_000, "Redis streams, uvloop"),
    Peer("saq", "default", 5_000, "defaults (10 at a time)"),
    Peer("saq", "best", 5_000, "100 at a time"),
    Peer("streaq", "default", 4_000, "defaults (16 at a time)"),
    Peer("streaq", "best", 4_000, "100 at a time"),
    Peer("celery", "default", 2_500, "prefork, 1 process"),
    Peer("celery", "best", 2_500, "solo pool, no results"),
    Peer("rq", "default", 300, "a fork for each job"),
    Peer("rq", "best", 1_500, "SimpleWorker"),
]
QUICK_PEERS = {("arq", "default"), ("arq", "best"), ("huey", "best"), ("pgqueuer", "best")}
# What the ratios are held against.
AIMS = {("arq", "default"): 100, ("arq", "best"): 25, ("huey", "best"): 8, ("pgqueuer", "best"): 2}
LOADS = [
    Peer("arqlight", "100", 60_000, "max_jobs 100, 1 KB of arguments", (("BENCH_PAYLOAD", "1000"),)),
    Peer("arq", "best", 4_000, "max_jobs 100, 1 KB of arguments", (("BENCH_PAYLOAD", "1000"),)),
    Peer("arqlight", "100", 30_000, "max_jobs 100, 10 KB of arguments", (("BENCH_PAYLOAD", "10000"),)),
    Peer("arq", "best", 4_000, "max_jobs 100, 10 KB of arguments", (("BENCH_PAYLOAD", "10000"),)),
    Peer("arqlight", "100", 30_000, "max_jobs 100, tasks that sleep 10 ms", (("BENCH_SLEEP_S", "0.01"),)),
    Peer("arq", "best", 4_000, "max_jobs 100, tasks that sleep 10 ms", (("BENCH_SLEEP_S", "0.01"),)),
]


def measure(servers: Servers, quick: bool) -> tuple[Table, dict[str, list[float]]]:
    """The table, and the rates by peer for the plot."""
    rounds = 1 if quick else 3
    peers = [peer for peer in PEERS if not quick or (peer.name, peer.variant) in QUICK_PEERS]
    ours: list[float] = []
    rates: dict[Peer, list[float]] = {peer: [] for peer in peers}
    ratios: dict[Peer, list[float]] = {peer: [] for peer in peers}
    failed: dict[Peer, str] = {}
    for number in range(rounds):
        print(f"drain, round {number + 1} of {rounds}", flush=True)
        for place, peer in enumerate(peers):
            # Us again and again between them: the machine's speed drifts, and a ratio is to neighbours in time.
            has_aim = (peer.name, peer.variant) in AIMS
            if has_aim or place % 2 == 0:
                ours.append(_drain(OURS, servers))
            beside = ours[-1:]
            try:
                rate = _drain(peer, servers)
            except PeerFailed as error:
                failed[peer] = str(error)
                continue
            if has_aim:
                ours.append(_drain(OURS, servers))
                beside = ours[-2:]
            rates[peer].append(rate)
            ratios[peer].append(sum(beside) / len(beside) / rate)
    about = (
        f"No-op jobs, one worker process, one server, all jobs enqueued before; median of {rounds} rounds "
        f"({len(ours)} runs of ours, before and after each peer that an aim is about), in brackets the lowest and the "
        "highest. "
        "Our results are kept and every transition is tracked and pushed."
    )
    table = Table("Drain", ["engine", "version", "jobs/s", "arqlight is faster", "aim"], about)
    table.add(OURS.label, OURS.version(), ours, "", "25,000 jobs/s")
    for peer in sorted(peers, key=lambda peer: -median(rates[peer] or [0])):
        if not rates[peer]:
            table.add(peer.label, peer.version(), failed[peer], "", "")
            continue
        aim = AIMS.get((peer.name, peer.variant))
        spread = f" ({min(ratios[peer]):.3g} to {max(ratios[peer]):.3g})"
        times = "" if peer.is_ours else f"{median(ratios[peer]):.3g} times{spread if rounds > 1 else ''}"
        table.add(peer.label, peer.version(), rates[peer], times, f"{aim} times" if aim else "")
    return table, {OURS.label: ours} | {peer.label: figures for peer, figures in rates.items() if figures}


def measure_loads(servers: Servers, quick: bool) -> Table:
    """Jobs that carry something, or wait for something."""
    rounds = 1 if quick else 2
    rates: dict[Peer, list[float]] = {peer: [] for peer in LOADS}
    for _ in range(rounds):
        for peer in LOADS:
            rates[peer].append(Run(peer, servers).drain())
    about = "Tasks that sleep 10 ms cannot run faster than 10,000 jobs/s at 100 at a time."
    table = Table("Drain of heavier jobs", ["engine", "jobs/s"], about)
    for peer in LOADS:
        table.add(peer.label, rates[peer])
    return table


def _drain(peer: Peer, servers: Servers) -> float:
    rate = Run(peer, servers).drain()
    print(f"  {peer.label}: {rate:,.0f} jobs/s", flush=True)
    return rate
