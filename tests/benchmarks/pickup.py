"""How long an idle worker takes to begin a job, and what idle workers cost the server."""

import os
import subprocess
import sys
import time
from typing import Any

import redis

from tests.benchmarks.peer import ROOT, Peer, PeerFailed, Run
from tests.benchmarks.report import Table, median, percentile
from tests.benchmarks.servers import Servers

PEERS = [
    Peer("arqlight", "10", 0, "our client"),
    Peer("arqlight", "10", 0, "a plain arq client", (("BENCH_CLIENT", "arq"),)),
    Peer("arq", "default", 0, "defaults (poll_delay 0.5 s)"),
    Peer("huey", "best", 0, "blocking pop"),
    Peer("taskiq", "best", 0, "Redis streams, uvloop"),
    Peer("saq", "default", 0, "defaults"),
    Peer("rq", "best", 0, "SimpleWorker"),
    Peer("streaq", "default", 0, "defaults"),
    Peer("celery", "best", 0, "solo pool"),
    Peer("dramatiq", "default", 0, "defaults"),
    Peer("pgqueuer", "best", 0, "uvloop"),
]
IDLE_WORKERS = 50


def measure(servers: Servers, quick: bool) -> Table:
    """From enqueue to the task's first line, in ms."""
    about = (
        "From the call of enqueue to the task's first line, one idle worker. The aim: p50 1 ms, p99 5 ms, from either "
        "client. A plain arq client's call is three round trips of its own before the job is in the queue: what it "
        "took stands in the last column."
    )
    table = Table(
        "Pick-up", ["engine", "p50, ms", "p99, ms", "longest, ms", "jobs", "p50 of the call itself, ms"], about
    )
    for peer in PEERS[:3] if quick else PEERS:
        pings = (20 if peer.name == "arq" else 200) if quick else 40 if peer.name == "arq" else 300
        try:
            took_ms, call_ms = Run(peer, servers).pick_up(pings)
        except PeerFailed as error:
            table.add(peer.label, str(error), "", "", "", "")
            continue
        figures = median(took_ms), percentile(took_ms, 0.99), max(took_ms)
        table.add(peer.label, *(f"{figure:.2f}" for figure in figures), len(took_ms), f"{call_ms:.2f}")
    return table


def measure_idle(servers: Servers, quick: bool) -> Table:
    """What idle workers cost the server, in hundredths of a core."""
    count, seconds = (20, 5) if quick else (IDLE_WORKERS, 15)
    client: Any = redis.Redis(port=servers.redis_port)
    client.flushall()
    environment = os.environ | {"ARQLIGHT_REDIS_URL": servers.redis_url, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "arqlight_service", "worker", "--processes", str(count)]
    workers = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        while client.zcard("arqlight:workers") < count:
            time.sleep(0.2)
        time.sleep(5)  # start-up over
        before, began = _server_cpu_s(client), time.perf_counter()
        time.sleep(seconds)
        share = 100 * (_server_cpu_s(client) - before) / (time.perf_counter() - began)
    finally:
        workers.terminate()
        workers.wait(60)
    table = Table("Idle workers", ["workers", "the server's CPU, % of a core"], "The aim: under 2% for 50 workers.")
    table.add(count, f"{share:.2f}")
    return table


def _server_cpu_s(client: Any) -> float:
    cpu = client.info("cpu")
    return float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])
