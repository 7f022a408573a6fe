# /// script
# requires-python = ">=3.11"
# dependencies = ["saq[redis,hiredis]==0.26.4", "typing_extensions"]
# ///
"""SAQ. `default`: as it comes (10 at a time); `best`: concurrency 100."""

import asyncio

from driving import REDIS_URL, drive, mark, stamp
from saq import Queue, Worker

_queue = None


async def noop(ctx):
    mark()


async def stamped(ctx, sent_ns):
    stamp(sent_ns)


async def fill(count):
    queue = Queue.from_url(REDIS_URL)
    await queue.connect()
    for _ in range(count // 50):
        await asyncio.gather(*(queue.enqueue("noop") for _ in range(50)))
    await queue.disconnect()


async def send(sent_ns):
    global _queue
    if _queue is None:
        _queue = Queue.from_url(REDIS_URL)
        await _queue.connect()
    await _queue.enqueue("stamped", sent_ns=sent_ns)


async def _work(variant):
    queue = Queue.from_url(REDIS_URL)
    await queue.connect()
    await Worker(queue, [noop, stamped], concurrency=100 if variant == "best" else 10).start()


def work(variant):
    asyncio.run(_work(variant))


drive(fill, send, work)
