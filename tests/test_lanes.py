"""Priority, weights and limits between queues."""

import asyncio
from collections import Counter
from functools import partial
from typing import Any

import pytest
from arq import func
from arq.connections import ArqRedis

from tests.conftest import StartWorker
from tests.waiting import eventually
from workers.errors import SettingsError
from workers.journal import Journal, NewJob
from workers.keys import queue_key
from workers.lanes import Lanes, parse_lanes, parse_limits
from workers.reading import Reader

HIGH, LOW = queue_key("high"), queue_key("low")


async def test_weights_share_the_slots_so_that_no_lane_starves(journal: Journal) -> None:
    await journal.enqueue([NewJob("t", queue) for queue in (HIGH, LOW) for _ in range(400)])
    lanes = parse_lanes(["high=3", "low=1"])
    taken: Counter[str] = Counter()
    for slots in [40] * 5 + [1] * 200:
        queues, shares = lanes.turns(slots)
        claims, _ = await journal.claim("w", queues, slots, 60_000, False, shares)
        assert len(claims) == slots
        taken.update(claim.queue for claim in claims)
    assert 270 <= taken[HIGH] <= 330
    assert 70 <= taken[LOW] <= 130


async def test_slots_that_a_lane_does_not_need_go_to_the_others(journal: Journal) -> None:
    await journal.enqueue([NewJob("t", LOW) for _ in range(30)])
    queues, shares = parse_lanes(["high=9", "low=1"]).turns(20)
    claims, more = await journal.claim("w", queues, 20, 60_000, False, shares)
    assert len(claims) == 20
    assert more


async def test_a_limit_holds_over_all_workers_and_frees_a_waiting_one(
    pool: ArqRedis, journal: Journal, start_worker: StartWorker, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.worker.SAFETY_POLL_S", 600)
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


async def test_a_limit_that_a_worker_no_longer_sets_is_gone(pool: ArqRedis, start_worker: StartWorker) -> None:
    async def ok(ctx: dict[str, Any]) -> None:
        pass

    await start_worker([func(ok, name="ok")], queues=[LOW], limits={LOW: 3})
    assert await pool.hgetall("arqlight:limits") == {LOW.encode(): b"3"}  # type: ignore[misc]
    await start_worker([func(ok, name="ok")], queues=[LOW])
    assert await pool.hgetall("arqlight:limits") == {}  # type: ignore[misc]


def test_lanes_without_weights_are_strict() -> None:
    assert parse_lanes(["high", "default"]).turns(7) == (("arq:queue:high", "arq:queue"), [7, 7])


@pytest.mark.parametrize(
    ("lanes", "words"),
    [
        (["high=3", "low"], "'low' has no weight"),
        (["high=0"], "'high': its weight is '0'"),
        (["high=1.5"], "its weight is '1.5'"),
        (["high=-1"], "its weight is '-1'"),
        (["high=\u0661"], "its weight is"),
        (["high", "high"], "named twice"),
        ({"high": 2000}, "its weight is '2000'"),
    ],
)
def test_wrong_lanes_are_refused_with_the_reason(lanes: Any, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        parse_lanes(lanes)


@pytest.mark.parametrize("limits", [["emails"], ["emails=0"], ["emails=x"], {"emails": -1}])
def test_wrong_limits_are_refused_with_the_reason(limits: Any) -> None:
    with pytest.raises(SettingsError, match="'emails': its limit is"):
        parse_limits(limits)


def test_lanes_may_be_a_mapping_of_weights() -> None:
    assert parse_lanes({"high": 3, "low": 1}) == Lanes((HIGH, LOW), (3, 1))
