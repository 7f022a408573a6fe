"""Priority, weights and limits between queues."""

import asyncio
from collections import Counter
from functools import partial
from typing import Any

import pytest
from arq import func
from arq.connections import ArqRedis

from arqlight.jobs.queues import queue_key
from arqlight.journal.journal import Journal, NewJob
from arqlight.journal.reader import Reader
from arqlight.worker.queue_order import parse_queue_order
from tests.conftest import StartWorker
from tests.support.waiting import eventually

HIGH, LOW = queue_key("high"), queue_key("low")


async def test_weights_share_the_slots_so_that_no_lane_starves(journal: Journal) -> None:
    await journal.enqueue([NewJob("t", queue) for queue in (HIGH, LOW) for _ in range(400)])
    order = parse_queue_order(["high=3", "low=1"])
    taken: Counter[str] = Counter()
    for slots in [40] * 5 + [1] * 200:
        queues, shares = order.turns(slots)
        claims, _ = await journal.claim("w", queues, slots, 60_000, False, shares)
        assert len(claims) == slots
        taken.update(claim.queue for claim in claims)
    assert 270 <= taken[HIGH] <= 330
    assert 70 <= taken[LOW] <= 130


async def test_slots_that_a_lane_does_not_need_go_to_the_others(journal: Journal) -> None:
    await journal.enqueue([NewJob("t", LOW) for _ in range(30)])
    queues, shares = parse_queue_order(["high=9", "low=1"]).turns(20)
    claims, more = await journal.claim("w", queues, 20, 60_000, False, shares)
    assert len(claims) == 20
    assert more


async def test_a_limit_holds_over_all_workers_and_frees_a_waiting_one(
    pool: ArqRedis, journal: Journal, start_worker: StartWorker, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arqlight.worker.worker.SAFETY_POLL_S", 600)
    running: list[str] = []
    most = 0
    gate = asyncio.Semaphore(0)

    async def hold(ctx: dict[str, Any]) -> None:
        nonlocal most
        running.append(ctx["job_id"])
        most = max(most, len(running))
        await gate.acquire()
        running.remove(ctx["job_id"])

    for _ in range(2):
        await start_worker([func(hold, name="hold")], queues=[HIGH, LOW], limits={LOW: 3})
    await journal.enqueue([NewJob("hold", LOW) for _ in range(8)] + [NewJob("hold", HIGH) for _ in range(4)])
    await eventually(lambda: len(running) == 7)
    for left in range(11, -1, -1):
        gate.release()
        await eventually(partial(_ended, pool, 12 - left), within_s=5)
        figures = {queue.key: queue.processing for queue in (await reader.overview()).queues}
        assert figures[LOW] <= 3
    assert most == 7


async def _ended(pool: ArqRedis, number: int) -> bool:
    return bool(await pool.zcard("arqlight:succeeded") == number)
