"""Whether a million jobs make a queue, a page or a claim slower."""

import asyncio
import time
from typing import Any

from redis.asyncio import Redis

from arqlight.client import Client
from arqlight.connections.named import open_connections
from arqlight.jobs.failure import describe_failure
from arqlight.jobs.queues import DEFAULT_QUEUE, queue_key
from arqlight.journal.dedicated_connection import DedicatedConnection
from arqlight.journal.journal import Ending, Journal, NewJob
from arqlight.settings import load_settings
from arqlight_service.feed.feed import Feed
from arqlight_service.operations.operations import Operations
from arqlight_service.operations.reachability import Reachability
from tests.benchmarks.peer import Peer, Run
from tests.benchmarks.report import Table, median, percentile
from tests.benchmarks.servers import Servers

FAILED_QUEUE = queue_key("failing")


def measure(servers: Servers, quick: bool) -> Table:
    """Deep queues beside shallow ones."""
    depth, drained, rounds = (50_000, 30_000, 1) if quick else (1_000_000, 120_000, 2)
    settings = load_settings(redis_url=servers.redis_url, keep_failed=10 * depth)
    table = Table("Deep queues", ["what", "shallow", f"with {depth:,} queued and {depth:,} failed", "aim"])

    peer = Peer("arqlight", "100", drained, "shallow")
    shallow = [Run(peer, servers).drain() for _ in range(rounds)]
    empty_ms = asyncio.run(_snapshots(servers, settings))
    before = asyncio.run(_memory(servers))
    asyncio.run(_fail(settings, depth))
    failed = asyncio.run(_memory(servers))
    Run(Peer("arqlight", "100", depth, "deep"), servers, flush=False).fill()
    queued = asyncio.run(_memory(servers))
    deep_ms = asyncio.run(_snapshots(servers, settings))
    # What a round takes away does not make the queue shallow: 120,000 of a million.
    deep = [Run(peer, servers, flush=False).run_jobs() for _ in range(rounds)]

    table.add("drain, jobs/s", shallow, deep, "falls by at most 10%")
    for name, part in (("median", 0.5), ("p95", 0.95)):
        figures = percentile(empty_ms, part), percentile(deep_ms, part)
        table.add(f"snapshot (counts, active, first failed page), {name}, ms", *figures, "5 ms")
    table.add("memory for a queued job, bytes", "", (queued - failed) / depth, "stated")
    table.add("memory for a failed job with its trace, bytes", "", (failed - before) / depth, "stated")
    return table


def measure_claims(servers: Servers, quick: bool) -> Table:
    """What a claim costs beside few and beside many running jobs."""
    many = 2_000 if quick else 10_000
    few_us, many_us = asyncio.run(_claims(servers, many))
    table = Table("Claims beside running jobs", ["running", "a claim of one job, median, µs", "aim"])
    table.add(10, median(few_us), "")
    table.add(many, median(many_us), "what it costs with 10")
    return table


async def _claims(servers: Servers, many: int) -> tuple[list[float], list[float]]:
    settings = load_settings(redis_url=servers.redis_url)
    redis = Redis.from_url(servers.redis_url)
    await redis.flushall()
    line = DedicatedConnection(redis)
    journal = Journal(redis, settings, line)

    async def run(count: int) -> None:
        await journal.enqueue([NewJob("ok", DEFAULT_QUEUE) for _ in range(count)])
        while count:
            count -= len((await journal.claim("holder", [DEFAULT_QUEUE], 500, 600_000, True))[0])

    async def cost_us() -> list[float]:
        took: list[float] = []
        for _ in range(500):
            await journal.enqueue([NewJob("ok", DEFAULT_QUEUE)])
            began = time.perf_counter()
            [claim], _ = await journal.claim("w", [DEFAULT_QUEUE], 1, 600_000, True)
            took.append((time.perf_counter() - began) * 1e6)
            await journal.commit("w", [Ending(claim, "ok", 1, "succeeded")])
        return took

    await run(10)
    few_us = await cost_us()
    for _ in range(many // 500):
        await run(500)
    many_us = await cost_us()
    await line.close()
    await redis.aclose()
    return few_us, many_us


async def _fail(settings: Any, count: int) -> None:
    redis = Redis.from_url(settings.redis_url)
    line = DedicatedConnection(redis)
    journal = Journal(redis, settings, line)
    try:
        raise ValueError("one that was meant to")
    except ValueError as error:
        failure = describe_failure(error, task="noop", attempt=1, worker="w", started_ms=1)
    async with Client(settings) as client:
        for _ in range(0, count, 10_000):
            await client.enqueue_many(NewJob("noop", FAILED_QUEUE) for _ in range(10_000))
            while claims := (await journal.claim("w", [FAILED_QUEUE], 500, 600_000, False))[0]:
                await journal.commit("w", [Ending(claim, "noop", 1, "failed", failure=failure) for claim in claims])
    await line.close()
    await redis.aclose()


async def _snapshots(servers: Servers, settings: Any) -> list[float]:
    connections = open_connections(settings)
    feed = Feed(connections.first, Operations(connections), Reachability(connections))
    took: list[float] = []
    for number in range(60):
        began = time.perf_counter()
        await feed.snapshot(["counts", "active", "failed"])
        if number >= 10:
            took.append((time.perf_counter() - began) * 1000)
    await connections.close()
    return took


async def _memory(servers: Servers) -> float:
    redis = Redis.from_url(servers.redis_url)
    used = float((await redis.info("memory"))["used_memory"])
    await redis.aclose()
    return used
