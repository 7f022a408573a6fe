# /// script
# requires-python = ">=3.11"
# dependencies = ["dramatiq[redis]==2.2.1", "hiredis==3.5.0"]
# ///
"""Dramatiq, one process. `default`: 8 threads; `best`: 1 thread (a no-op gains nothing from more), a prefetch of 1,000."""

import os
import signal

if "best" in os.sys.argv:
    os.environ["dramatiq_queue_prefetch"] = "1000"  # noqa: SIM112 - its own name for it

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from driving import REDIS_URL, drive, mark, stamp

broker = RedisBroker(url=REDIS_URL)
dramatiq.set_broker(broker)


@dramatiq.actor(actor_name="noop")
def noop():
    mark()


@dramatiq.actor(actor_name="stamped")
def stamped(sent_ns):
    stamp(sent_ns)


async def fill(count):
    for _ in range(count):
        noop.send()


async def send(sent_ns):
    stamped.send(sent_ns)


def work(variant):
    dramatiq.Worker(broker, worker_threads=1 if variant == "best" else 8).start()
    signal.pause()


drive(fill, send, work)
