"""What every peer's script shares: how a task leaves its mark, and the three things the benchmark asks of a peer.

    fill COUNT       enqueue COUNT no-op jobs and exit
    ping COUNT       enqueue one stamped job at a time, each when the one before has run
    work VARIANT     run a worker until killed

A mark is a byte appended to BENCH_MARKS, so it is the same for threads, forks and event loops, and whoever watches the
file sees the jobs done. A stamp is the time from enqueue to the task's first line: eight bytes, nanoseconds.
"""

import asyncio
import os
import random
import statistics
import struct
import sys
import time

REDIS_URL = os.environ.get("BENCH_REDIS_URL", "")
POSTGRES_URL = os.environ.get("BENCH_POSTGRES_URL", "")
_marks = os.open(os.environ["BENCH_MARKS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def mark():
    os.write(_marks, b".")


def stamp(sent_ns):
    os.write(_marks, struct.pack("q", time.time_ns() - sent_ns))


async def _ping(send, count):
    calls = []
    for number in range(count):
        sent_ns = time.time_ns()
        await send(sent_ns)
        calls.append(time.time_ns() - sent_ns)
        await asyncio.sleep(random.uniform(0.004, 0.012))
        while os.fstat(_marks).st_size < 8 * (number + 1):
            await asyncio.sleep(0.004)
    print(statistics.median(calls) / 1e6)


def drive(fill, send, work):
    """`fill(count)` and `send(sent_ns)` are coroutine functions, `work(variant)` is not and does not return."""
    verb, argument = sys.argv[1:3]
    if verb == "fill":
        asyncio.run(fill(int(argument)))
    elif verb == "ping":
        asyncio.run(_ping(send, int(argument)))
    else:
        work(argument)
