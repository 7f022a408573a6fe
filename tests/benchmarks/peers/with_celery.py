# /// script
# requires-python = ">=3.11"
# dependencies = ["celery[redis]==5.7.0", "hiredis==3.5.0"]
# ///
"""Celery, one worker process. `default`: prefork; `best`: solo pool, no results, no prefetch limit (its optimizing guide)."""

import sys

from celery import Celery
from driving import REDIS_URL, drive, mark, stamp

app = Celery("bench", broker=REDIS_URL, backend=REDIS_URL)
if "best" in sys.argv:
    app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=0, worker_disable_rate_limits=True,
                    worker_send_task_events=False)  # fmt: skip


@app.task(name="noop")
def noop():
    mark()


@app.task(name="stamped")
def stamped(sent_ns):
    stamp(sent_ns)


async def fill(count):
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(count):
            noop.apply_async(producer=producer)


async def send(sent_ns):
    stamped.delay(sent_ns)


def work(variant):
    pool = ["--pool", "solo"] if variant == "best" else ["--concurrency", "1"]
    app.worker_main(["worker", "--loglevel", "ERROR", "--without-gossip", "--without-mingle", *pool])


drive(fill, send, work)
