# /// script
# requires-python = ">=3.11"
# dependencies = ["arq==0.28.0", "hiredis==3.5.0"]
# ///
"""arq. `default`: as it comes; `best`: max_jobs=100."""

import asyncio
import os

from arq import Worker
from arq.connections import RedisSettings, create_pool
from driving import REDIS_URL, drive, mark, stamp

SETTINGS = RedisSettings.from_dsn(REDIS_URL)
PAYLOAD = ("x" * int(os.environ["BENCH_PAYLOAD"]),) if "BENCH_PAYLOAD" in os.environ else ()
SLEEP_S = float(os.environ.get("BENCH_SLEEP_S", 0))
_pool = None


async def noop(ctx, *payload):
    if SLEEP_S:
        await asyncio.sleep(SLEEP_S)
    mark()


async def stamped(ctx, sent_ns):
    stamp(sent_ns)


async def fill(count):
    pool = await create_pool(SETTINGS)
    for _ in range(count // 50):
        await asyncio.gather(*(pool.enqueue_job("noop", *PAYLOAD) for _ in range(50)))


async def send(sent_ns):
    global _pool
    _pool = _pool or await create_pool(SETTINGS)
    await _pool.enqueue_job("stamped", sent_ns)


def work(variant):
    asyncio.set_event_loop(asyncio.new_event_loop())
    options = {"max_jobs": 100} if variant == "best" else {}
    Worker([noop, stamped], redis_settings=SETTINGS, **options).run()


drive(fill, send, work)
