# /// script
# requires-python = ">=3.11"
# dependencies = ["streaq==7.2.0"]
# ///
"""streaQ. `default`: as it comes (16 at a time); `best`: concurrency 100."""

import sys

from driving import REDIS_URL, drive, mark, stamp
from streaq import Worker

worker = Worker(redis_url=REDIS_URL, **({"concurrency": 100} if "best" in sys.argv else {}))


@worker.task(name="noop")
async def noop() -> None:
    mark()


@worker.task(name="stamped")
async def stamped(sent_ns: int) -> None:
    stamp(sent_ns)


async def fill(count):
    async with worker:
        for _ in range(count // 500):
            await worker.enqueue_many([noop.enqueue() for _ in range(500)])


async def send(sent_ns):
    async with worker:
        await stamped.enqueue(sent_ns)


def work(variant):
    worker.run_sync()


drive(fill, send, work)
