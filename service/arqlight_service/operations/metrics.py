"""`/metrics`, in the text format of Prometheus, or OpenMetrics for those who accept it.

What each connection holds and counted, and what this process carries. Counters are kept on the server beside the jobs,
so they survive restarts, and every replica tells the same: take the maximum over replicas, not the sum.
"""

import asyncio
import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from aiohttp import web
from arq.utils import timestamp_ms
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder

from arqlight.connections.connection import Connection
from arqlight.connections.connection_errors import SERVER_ERRORS
from arqlight.connections.server_memory import ServerMemory
from arqlight.errors import ArqlightError
from arqlight.jobs.overview import Overview
from arqlight.jobs.queues import queue_name
from arqlight.journal.counters import Totals
from arqlight.version import __version__
from arqlight_service.api.accept import accepts
from arqlight_service.app_keys import CONNECTIONS, REACHABILITY
from arqlight_service.auth.open_feeds import WATCH
from arqlight_service.auth.roles import METRICS, Role, needs

routes = web.RouteTableDef()
OPEN_METRICS = "application/openmetrics-text"
LONGEST_S = 8.0  # less than scrapers wait, Prometheus 10: better a connection that is down than no figures at all
# Upper edges of the histograms, ms: every second edge of the counters' own buckets, 2^k - 1 (see counters.py).
EDGES = tuple((2 * k - 1, 2**k - 1) for k in range(1, 23))


@routes.get("/metrics")
@needs(Role.VIEWER, METRICS)
async def metrics(request: web.Request) -> web.Response:
    """All of them; a connection that is down is told as such, and the others go on."""
    read = await asyncio.gather(*(_read(request.app, connection) for connection in request.app[CONNECTIONS]))
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Collected([*_of_connections(read), *_of_feed(request.app), _build_info()]))
    asks = OPEN_METRICS if accepts(request, "Accept", OPEN_METRICS, by_name=True) else ""
    encode, kind = choose_encoder(asks)
    headers = {"Content-Type": kind, "Vary": "Accept"}
    return web.Response(body=await asyncio.to_thread(encode, registry), headers=headers)


class _Collected:
    """What was read already: the library's collectors may not wait."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> list[Metric]:
        """As the library asks for it."""
        return self._families


@dataclass(frozen=True, slots=True)
class Figures:
    """What one connection said; `overview` is None for one that is down, `memory` where the driver tells none."""

    connection: str
    overview: Overview | None = None
    totals: Totals = field(default_factory=Totals)
    memory: ServerMemory | None = None


async def _read(app: web.Application, connection: Connection) -> Figures:
    name = connection.name
    if app[REACHABILITY].problem(name):
        return Figures(name)
    try:
        async with asyncio.timeout(LONGEST_S):
            overview = await connection.reader.overview(1)
            totals = await connection.counters.totals() if connection.supports("counters") else Totals()
            memory = await connection.maintenance.memory() if connection.supports("maintenance") else None
        return Figures(name, overview, totals, memory)
    except (*SERVER_ERRORS, ArqlightError):  # a TimeoutError is an OSError
        return Figures(name)


def _of_connections(read: Iterable[Figures]) -> Iterator[Metric]:
    where, lane = ["connection"], ["connection", "queue"]
    up = GaugeMetricFamily("arqlight_connection_up", "Whether a connection answers.", labels=where)
    jobs = GaugeMetricFamily("arqlight_jobs", "Jobs in a queue, by state.", labels=[*lane, "state"])
    oldest = GaugeMetricFamily(
        "arqlight_oldest_waiting_seconds", "How long the oldest due job has waited.", labels=lane
    )
    paused = GaugeMetricFamily("arqlight_queue_paused", "Whether nothing is claimed from a queue.", labels=lane)
    serving = GaugeMetricFamily("arqlight_queue_workers", "Live workers that take from a queue.", labels=lane)
    failed = GaugeMetricFamily("arqlight_failed_jobs", "Jobs in the failed list.", labels=where)
    workers = GaugeMetricFamily("arqlight_workers", "Live workers.", labels=where)
    ended = CounterMetricFamily("arqlight_jobs_ended", "Jobs that ended, by how.", labels=[*lane, "state"])
    counted = {
        "enqueued": CounterMetricFamily(
            "arqlight_jobs_enqueued",
            "Jobs that were enqueued through arqlight; plain arq clients count none.",
            labels=lane,
        ),
        "retried": CounterMetricFamily("arqlight_jobs_retried", "Failed jobs that a person put back.", labels=lane),
        "cancelled": CounterMetricFamily("arqlight_jobs_cancelled", "Jobs that were cancelled.", labels=lane),
    }
    failures = CounterMetricFamily("arqlight_failures", "Jobs that failed permanently.", labels=["connection", "task"])
    waited = HistogramMetricFamily("arqlight_wait_seconds", "From when a job was due to its claim.", labels=lane)
    ran = HistogramMetricFamily("arqlight_run_seconds", "From its claim to its end.", labels=lane)
    used = GaugeMetricFamily("arqlight_server_memory_bytes", "Memory of the Redis or Valkey server.", labels=where)
    limit = GaugeMetricFamily("arqlight_server_memory_limit_bytes", "Its maxmemory; 0: none.", labels=where)
    now = timestamp_ms()
    for each in read:
        name, overview, totals = each.connection, each.overview, each.totals
        up.add_metric([name], overview is not None)
        if overview is None:
            continue
        failed.add_metric([name], overview.failed)
        workers.add_metric([name], overview.workers)
        for queue in overview.queues:
            of = [name, queue_name(queue.key)]
            for state in ("queued", "processing", "scheduled"):
                jobs.add_metric([*of, state], getattr(queue, state))
            oldest.add_metric(of, max(0, now - queue.oldest_ms) / 1000 if queue.oldest_ms else 0)
            paused.add_metric(of, queue.paused)
            serving.add_metric(of, queue.workers)
        for key, counts in totals.by_queue.items():
            of = [name, queue_name(key)]
            ended.add_metric([*of, "succeeded"], counts.succeeded)
            ended.add_metric([*of, "failed"], counts.failed)
            for what, metric in counted.items():
                metric.add_metric(of, getattr(counts, what))
            waited.add_metric(of, *_histogram(counts.waited, counts.waited_ms))
            ran.add_metric(of, *_histogram(counts.ran, counts.ran_ms))
        for task, number in totals.failures.items():
            failures.add_metric([name, task], number)
        if each.memory:
            used.add_metric([name], each.memory.used_bytes)
            limit.add_metric([name], each.memory.limit_bytes)
    yield from counted.values()
    yield from (up, jobs, oldest, paused, serving, failed, workers, ended, failures, waited, ran, used, limit)


def _build_info() -> Metric:
    """What runs: always 1, with the versions as labels."""
    labels = {"version": __version__, "python": platform.python_version()}
    return InfoMetricFamily("arqlight_build", "The version of arqlight that answers.", value=labels)


def _histogram(buckets: dict[int, int], total_ms: int) -> tuple[list[tuple[str, float]], float]:
    """Buckets as Prometheus counts them: how many up to each edge."""
    counted = [(f"{ms / 1000:g}", sum(n for b, n in buckets.items() if b <= last)) for last, ms in EDGES]
    return [*counted, ("+Inf", sum(buckets.values()))], total_ms / 1000


def _of_feed(app: web.Application) -> Iterator[Metric]:
    watch = app[WATCH]
    yield GaugeMetricFamily("arqlight_feed_subscribers", "Open feeds of this process.", value=watch.number())
    dropped = CounterMetricFamily("arqlight_feed_dropped", "Consumers this process let go, by why.", labels=["reason"])
    for reason in watch.dropped:
        dropped.add_metric([reason], watch.dropped[reason])
    yield dropped
