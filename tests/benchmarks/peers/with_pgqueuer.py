# /// script
# requires-python = ">=3.11"
# dependencies = ["pgqueuer==1.6.0", "asyncpg==0.32.0", "uvloop==0.23.0"]
# ///
"""PgQueuer on PostgreSQL. `default`: batches of 10; `best`: batches of 100 on uvloop."""

import asyncio
import struct

import asyncpg
from driving import POSTGRES_URL, drive, mark, stamp
from pgqueuer.db import AsyncpgDriver
from pgqueuer.qm import QueueManager
from pgqueuer.queries import Queries

_queries = None


async def _connect():
    return Queries(AsyncpgDriver(await asyncpg.connect(POSTGRES_URL)))


async def fill(count):
    queries = await _connect()
    if not await queries.has_table("pgqueuer"):
        await queries.install()
    for _ in range(count // 1000):
        await queries.enqueue(["noop"] * 1000, [None] * 1000, [0] * 1000)


async def send(sent_ns):
    global _queries
    _queries = _queries or await _connect()
    await _queries.enqueue(["stamped"], [struct.pack("q", sent_ns)], [0])


async def _work(batch_size):
    manager = QueueManager(await _connect())

    @manager.entrypoint("noop")
    async def noop(job):
        mark()

    @manager.entrypoint("stamped")
    async def stamped(job):
        stamp(struct.unpack("q", job.payload)[0])

    await manager.run(batch_size=batch_size)


def work(variant):
    if variant == "best":
        import uvloop

        uvloop.run(_work(100))
    else:
        asyncio.run(_work(10))


drive(fill, send, work)
