"""The client of an application: what arq calls its options means the same."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from arq.connections import ArqRedis

from arqlight import Client
from arqlight.errors import InvalidInput
from arqlight.settings import Settings


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"_queue_name": "arq:queue:high"},
        {"_queue_name": "lonely"},
        {"_defer_by": 60},
        {"_defer_by": timedelta(minutes=1)},
        {"_defer_until": datetime.now(UTC) + timedelta(hours=1)},
        {"_expires": 600},
        {"_defer_by": 60, "_expires": timedelta(minutes=5)},
    ],
)
async def test_options_of_arqs_client_mean_the_same_in_ours(
    pool: ArqRedis, settings: Settings, options: dict[str, Any]
) -> None:
    async with Client(settings) as client:
        assert await client.enqueue("work", 1, _job_id="ours", name="x", **options) == "ours"
    assert await pool.enqueue_job("work", 1, _job_id="arqs", name="x", **options)
    queue = options.get("_queue_name", "arq:queue")
    mine, theirs = await pool.zscore(queue, "ours"), await pool.zscore(queue, "arqs")
    assert mine is not None
    assert abs(mine - theirs) < 5_000
    ours, arqs = [await pool._get_job_def(job_id, 0) for job_id in (b"ours", b"arqs")]
    assert (ours.function, ours.args, ours.kwargs, ours.job_try) == (
        arqs.function,
        arqs.args,
        arqs.kwargs,
        arqs.job_try,
    )
    if "_expires" in options:
        assert abs(await pool.pttl("arq:job:ours") - await pool.pttl("arq:job:arqs")) < 5_000


async def test_two_words_for_when_a_job_is_due_are_refused(settings: Settings) -> None:
    async with Client(settings) as client:
        with pytest.raises(InvalidInput, match="only one of"):
            await client.enqueue("work", _delay_s=1, _defer_by=2)
        with pytest.raises(InvalidInput, match="_job_try"):
            await client.enqueue("work", _job_try=2)
