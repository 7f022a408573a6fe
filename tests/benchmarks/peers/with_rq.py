# /// script
# requires-python = ">=3.11"
# dependencies = ["rq==3.0.0", "redis==8.1.0", "hiredis==3.5.0"]
# ///
"""RQ. `default`: its worker, a fork for each job; `best`: SimpleWorker, no fork."""

import os
import sys

sys.modules["bench_rq"] = sys.modules["__main__"]  # tasks are named by their module, and `__main__` is refused

from driving import REDIS_URL, drive, mark, stamp  # noqa: E402
from redis import Redis  # noqa: E402
from rq import Queue, SimpleWorker, Worker  # noqa: E402

queue = Queue(connection=Redis.from_url(REDIS_URL))


def noop():
    mark()


def stamped(sent_ns):
    stamp(sent_ns)


async def fill(count):
    for _ in range(count // 100):
        queue.enqueue_many([Queue.prepare_data("bench_rq.noop") for _ in range(100)])


async def send(sent_ns):
    queue.enqueue("bench_rq.stamped", sent_ns)


def work(variant):
    kind = SimpleWorker if variant == "best" else Worker
    kind([queue], connection=queue.connection, name=f"bench-{os.getpid()}").work(logging_level="ERROR")


drive(fill, send, work)
