"""What is set on the page reaches running workers, is checked before it is saved, and is written down."""

import asyncio
from typing import Any

import pytest
from arq import Retry, func
from arq.connections import ArqRedis

from arqlight.journal.journal import Journal, NewJob
from arqlight.journal.keys import KEYS
from arqlight.tasks import Backoff, task
from tests.conftest import Client, StartWorker
from tests.support.waiting import eventually

QUEUE = "arq:queue"


async def sleep(ctx: dict[str, Any]) -> None:
    await asyncio.sleep(60)


@pytest.fixture
async def sleeper(start_worker: StartWorker, client: Client) -> Any:
    return await start_worker([func(sleep, name="sleep")])


async def put(client: Client, path: str, **values: Any) -> tuple[int, Any]:
    answer = await client.put(f"/api/v1/settings/{path}", json=values)
    return answer.status, await answer.json()


async def test_a_timeout_that_is_set_is_in_force_in_a_running_worker_within_2_seconds(
    client: Client, journal: Journal, pool: ArqRedis, sleeper: Any
) -> None:
    status, told = await put(client, "task/sleep", timeout_s=0.2)
    assert (status, told["timeout_s"]) == (200, 0.2)
    await eventually(lambda: sleeper.overrides.find("sleep", QUEUE), within_s=2)
    await journal.enqueue([NewJob("sleep", QUEUE, id="x")])
    await eventually(lambda: pool.zscore(KEYS["failed"], "x"), within_s=2)
    job = await (await client.get("/api/v1/jobs/x")).json()
    assert (job["error"], job["message"]) == ("TimeoutError", "ran longer than its timeout of 0.2 s")
    await put(client, "task/sleep")
    await eventually(lambda: sleeper.overrides.find("sleep", QUEUE) is None, within_s=2)
    audit = (await (await client.get("/api/v1/audit")).json())["items"]
    assert [(entry["what"], entry["from"], entry["to"], entry["who"]) for entry in audit] == [
        ("task sleep", {"timeout_s": 0.2}, {}, "127.0.0.1"), ("task sleep", {}, {"timeout_s": 0.2}, "127.0.0.1"),
    ]  # fmt: skip


async def test_a_worker_that_hears_nothing_looks_by_itself(
    client: Client, pool: ArqRedis, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await start_worker([func(sleep, name="sleep")])
    monkeypatch.setattr(worker, "_overridden", lambda _: None)
    await pool.hset(KEYS["overrides"], "task:sleep", '{"timeout_s": 5}')  # type: ignore[misc]
    await eventually(lambda: worker.overrides.find("sleep", QUEUE), within_s=6)


async def test_tries_back_off_and_retention_follow(
    client: Client, journal: Journal, pool: ArqRedis, start_worker: StartWorker
) -> None:
    @task(tries=5, backoff=Backoff(first_s=500))
    async def stubborn(ctx: dict[str, Any]) -> None:
        raise ValueError("no")

    async def fine(ctx: dict[str, Any]) -> str:
        return "kept"

    worker = await start_worker([stubborn, func(fine, name="fine")])
    assert (await put(client, "task/stubborn", tries=2, backoff_first_s=0.01, backoff_longest_s=0.02))[0] == 200
    assert (await put(client, "queue/default", keep_result_s=0))[0] == 200
    await eventually(lambda: worker.overrides.find("fine", QUEUE))
    await journal.enqueue([NewJob("stubborn", QUEUE, id="s"), NewJob("fine", QUEUE, id="f")])
    await eventually(lambda: pool.zscore(KEYS["failed"], "s"))
    assert (await (await client.get("/api/v1/jobs/s")).json())["attempts"] == 2
    await eventually(lambda: pool.zscore(KEYS["succeeded"], "f"))
    assert not await pool.exists("arq:result:f")


async def test_a_queues_concurrency_holds_over_all_workers_and_goes_with_the_setting(
    client: Client, journal: Journal, pool: ArqRedis, start_worker: StartWorker
) -> None:
    workers = [await start_worker([func(sleep, name="sleep")], max_jobs=10) for _ in range(2)]
    assert (await put(client, "queue/default", concurrency=3))[0] == 200

    async def limited(limit: bytes | None) -> bool:
        return bool(await pool.hget(KEYS["limits"], QUEUE) == limit)  # type: ignore[misc]

    await eventually(lambda: limited(b"3"), within_s=2)
    await journal.enqueue([NewJob("sleep", QUEUE) for _ in range(12)])

    async def running(number: int) -> bool:
        return bool(await pool.zcard(KEYS["processing"] + QUEUE) == number)

    await eventually(lambda: running(3))
    await put(client, "queue/default")
    await eventually(lambda: limited(None), within_s=2)
    await eventually(lambda: running(12), within_s=5)
    assert len(workers) == 2


@pytest.mark.parametrize(
    ("path", "values", "status", "field"),
    [("task/sleep", {"timeout_s": 0}, 422, "timeout_s"), ("task/sleep", {"timeout_s": "soon"}, 422, "timeout_s"),
     ("task/sleep", {"tries": 1.5}, 422, "tries"), ("task/sleep", {"tries": 101}, 422, "tries"),
     ("task/sleep", {"colour": 1}, 422, "colour"), ("task/sleep", {"concurrency": 3}, 422, "concurrency"),
     ("task/sleep", {"backoff_first_s": 9, "backoff_longest_s": 3}, 422, "backoff_first_s"),
     ("queue/default", {"concurrency": 0}, 422, "concurrency"), ("queue/default", {"timeout_s": 1e99}, 422, "timeout_s"),
     ("task/nobody", {"tries": 1}, 404, None), ("queue/nowhere", {"tries": 1}, 404, None)],
)  # fmt: skip
async def test_a_wrong_setting_is_refused_with_the_field_and_nothing_is_saved(
    client: Client, pool: ArqRedis, sleeper: Any, path: str, values: dict[str, Any], status: int, field: str | None
) -> None:
    got, problem = await put(client, path, **values)
    assert got == status, problem
    if field:
        assert problem["field"].startswith(field), problem
    assert not await pool.exists(KEYS["overrides"])
    assert (await (await client.get("/api/v1/audit?kind=change")).json())["items"] == []


async def test_a_job_that_waits_its_turn_loses_no_attempt(
    journal: Journal, pool: ArqRedis, start_worker: StartWorker, client: Client
) -> None:
    from arqlight.errors import NotYet

    turns = iter(range(100))

    @task(tries=2)
    async def patient(ctx: dict[str, Any]) -> int:
        if next(turns) < 5:
            raise NotYet(0.01, "a limit")
        return int(ctx["job_try"])

    await start_worker([patient])
    await journal.enqueue([NewJob("patient", QUEUE, id="p")])
    await eventually(lambda: pool.zscore(KEYS["succeeded"], "p"))
    job = await (await client.get("/api/v1/jobs/p")).json()
    assert (job["result"], job["attempts"], job["failures"]) == (1, 1, [])
    assert issubclass(NotYet, Retry)
