"""Ours: the worker of this checkout. The variant is max_jobs."""

import asyncio
import os

from arq import func
from arq.connections import RedisSettings, create_pool
from driving import REDIS_URL, drive, mark, stamp

from arqlight.client import Client
from arqlight.jobs.queues import queue_key
from arqlight.journal.journal import NewJob
from arqlight.settings import load_settings
from arqlight.worker.worker import Worker

SETTINGS = load_settings(redis_url=REDIS_URL)
QUEUES = [queue_key(name) for name in ("high", "default", "emails")]
PAYLOAD = ("x" * int(os.environ["BENCH_PAYLOAD"]),) if "BENCH_PAYLOAD" in os.environ else ()
SLEEP_S = float(os.environ.get("BENCH_SLEEP_S", 0))
_client = None


async def noop(ctx, *payload):
    if SLEEP_S:
        await asyncio.sleep(SLEEP_S)
    mark()


async def stamped(ctx, sent_ns):
    stamp(sent_ns)


async def fill(count):
    async with Client(SETTINGS) as client:
        await client.enqueue_many(NewJob("noop", QUEUES[number % 3], PAYLOAD) for number in range(count))


async def send(sent_ns):
    global _client
    if os.environ.get("BENCH_CLIENT") == "arq":
        _client = _client or await create_pool(RedisSettings.from_dsn(REDIS_URL))
        await _client.enqueue_job("stamped", sent_ns)
    else:
        _client = _client or Client(SETTINGS)
        await _client.enqueue("stamped", sent_ns)


def work(variant):
    asyncio.set_event_loop(asyncio.new_event_loop())
    Worker(
        [func(noop, name="noop"), func(stamped, name="stamped")],
        redis_settings=RedisSettings.from_dsn(REDIS_URL),
        settings=SETTINGS,
        queues=QUEUES,
        max_jobs=int(variant),
        allow_abort_jobs=True,
    ).run()


drive(fill, send, work)
