# /// script
# requires-python = ">=3.11"
# dependencies = ["huey==3.5.4", "redis==8.1.0", "hiredis==3.5.0"]
# ///
"""Huey, one worker thread. `default`: results kept; `best`: no results, a blocking pop."""

import sys

from driving import REDIS_URL, drive, mark, stamp
from huey import RedisHuey

huey = RedisHuey("bench", url=REDIS_URL, results="best" not in sys.argv, blocking=True)


@huey.task(name="noop")
def noop():
    mark()


@huey.task(name="stamped")
def stamped(sent_ns):
    stamp(sent_ns)


async def fill(count):
    for _ in range(count):
        noop()


async def send(sent_ns):
    stamped(sent_ns)


def work(variant):
    huey.create_consumer(workers=1, periodic=False).run()


drive(fill, send, work)
