"""Ours on PostgreSQL: the database driver of this checkout. The variant is max_jobs."""

import asyncio
import os

import uvloop
from arq import func
from arq.connections import RedisSettings
from driving import POSTGRES_URL, REDIS_URL, drive, mark, stamp

from arqlight.client import Client
from arqlight.connections.named import open_databases
from arqlight.jobs.queues import DEFAULT_QUEUE
from arqlight.journal.journal import NewJob
from arqlight.settings import load_settings
from arqlight.worker.worker import Worker

SETTINGS = load_settings(redis_url=REDIS_URL, connections=f"here={POSTGRES_URL}", keep_succeeded=1_000_000)
_client = None


async def noop(ctx):
    mark()


async def stamped(ctx, sent_ns):
    stamp(sent_ns)


async def fill(count):
    async with Client(SETTINGS) as client:
        await client.enqueue_many((NewJob("noop", DEFAULT_QUEUE) for _ in range(count)), "here")


async def send(sent_ns):
    global _client
    _client = _client or Client(SETTINGS)
    await _client.enqueue("stamped", sent_ns, _connection="here")


def work(variant):
    if os.environ.get("BENCH_UVLOOP"):
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.set_event_loop(asyncio.new_event_loop())
    Worker(
        [func(noop, name="noop"), func(stamped, name="stamped")],
        redis_settings=RedisSettings.from_dsn(REDIS_URL),
        settings=SETTINGS,
        queues=[DEFAULT_QUEUE],
        max_jobs=int(variant),
        databases=open_databases(SETTINGS),
    ).run()


drive(fill, send, work)
