# /// script
# requires-python = ">=3.11"
# dependencies = ["taskiq==0.13.0", "taskiq-redis==1.2.4", "hiredis==3.5.0", "uvloop==0.23.0"]
# ///
"""taskiq over Redis streams. `default`: as it comes; `best`: uvloop, 100 fetched at a time."""

import asyncio
import sys

from driving import REDIS_URL, drive, mark, stamp
from taskiq.api import run_receiver_task
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

broker = RedisStreamBroker(REDIS_URL, xread_count=100).with_result_backend(
    RedisAsyncResultBackend(REDIS_URL, result_ex_time=3600)
)


@broker.task(task_name="noop")
async def noop() -> None:
    mark()


@broker.task(task_name="stamped")
async def stamped(sent_ns: int) -> None:
    stamp(sent_ns)


async def fill(count):
    await broker.startup()
    for _ in range(count // 50):
        await asyncio.gather(*(noop.kiq() for _ in range(50)))
    await broker.shutdown()


_started = False


async def send(sent_ns):
    global _started
    if not _started:
        await broker.startup()
        _started = True
    await stamped.kiq(sent_ns)


async def _work():
    broker.is_worker_process = True
    await broker.startup()
    await run_receiver_task(broker, max_async_tasks=100)


def work(variant):
    if variant == "best":
        import uvloop

        uvloop.run(_work())
    else:
        asyncio.run(_work())


if sys.argv[0]:
    drive(fill, send, work)
