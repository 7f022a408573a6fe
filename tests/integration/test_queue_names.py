"""One rule for names of queues: what equals a key that is known means that queue, wherever a queue is named."""

import asyncio
import json
from typing import Any

import pytest
from arq import func
from arq.connections import ArqRedis
from click.testing import CliRunner

from arqlight.journal.keys import KEYS
from arqlight.settings import Settings
from arqlight.worker.worker_settings import create_worker
from arqlight_service.cli.enqueue import enqueue
from tests.conftest import Client, StartWorker
from tests.support.waiting import eventually

KEY = "myapp_mails"


async def ok(ctx: dict[str, Any]) -> str:
    return "fine"


class Application:
    functions = (ok,)
    queue_name = KEY


@pytest.mark.parametrize(
    ("named", "keys"),
    [
        ({}, (KEY,)),
        ({"flag": [KEY]}, (KEY,)),
        ({"flag": ["high", f"{KEY}"]}, ("arq:queue:high", KEY)),
        ({"flag": [f"{KEY}=3", "high=1"]}, (KEY, "arq:queue:high")),
        ({"queues": [KEY, "default"]}, (KEY, "arq:queue")),
        ({"queues": {KEY: 2, "bulk": 1}}, (KEY, "arq:queue:bulk")),
        ({"flag": ["other"]}, ("arq:queue:other",)),
    ],
    ids=str,
)
async def test_a_worker_takes_from_the_queue_that_its_class_names(
    settings: Settings, named: dict[str, Any], keys: tuple[str, ...]
) -> None:
    own = {name: value for name, value in named.items() if name != "flag"}
    application = {"functions": [ok], "queue_name": KEY, **own}
    worker = create_worker(application, settings, queues=named.get("flag", ()), handle_signals=False)
    assert tuple(worker.queues) == keys


@pytest.mark.parametrize("limits", [{KEY: 5}, [f"{KEY}=5"], None], ids=str)
async def test_a_limit_holds_for_the_queue_that_its_class_names(settings: Settings, limits: Any) -> None:
    application = {"functions": [ok], "queue_name": KEY, **({"queue_limits": limits} if limits else {})}
    worker = create_worker(application, settings.changed(queue_limits=f"{KEY}=5"), handle_signals=False)
    assert worker.limits == {KEY: 5}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"jobs?queue={KEY}", None),
        ("GET", f"jobs?state=queued&queue={KEY}", None),
        ("POST", "jobs", {"task": "ok", "queue": KEY, "id": "new"}),
        ("POST", "jobs", {"jobs": [{"task": "ok", "queue": KEY, "id": "new"}]}),
        ("POST", "jobs/first/again", {"args": [], "kwargs": {}}),
        ("POST", "jobs/first/again", {"args": [], "kwargs": {}, "queue": KEY}),
        ("POST", f"queues/{KEY}/pause", None),
        ("POST", f"queues/{KEY}/empty", {"confirm": KEY}),
        ("PUT", f"settings/queue/{KEY}", {"concurrency": 3}),
    ],
)
async def test_a_call_that_names_a_queue_by_its_key_means_that_queue(
    client: Client, pool: ArqRedis, start_worker: StartWorker, method: str, path: str, body: Any
) -> None:
    await start_worker([func(ok, name="ok")], queues=["arq:queue"])
    await pool.sadd(KEYS["queues"], KEY)  # type: ignore[misc]
    await pool.enqueue_job("ok", _queue_name=KEY, _job_id="first", _defer_by=0)
    answer = await client.request(method, f"/api/v1/{path}", json=body)
    assert answer.status < 300, await answer.text()
    if method == "GET":
        assert [job["id"] for job in (await answer.json())["items"]] == ["first"]
    elif path.startswith("jobs"):
        assert await pool.zcard(KEY) == 2
    elif "pause" in path:
        assert await pool.smembers(KEYS["paused"]) == {KEY.encode()}  # type: ignore[misc]
    elif "empty" in path:
        await eventually(lambda: _is_empty(pool))
    else:
        told = (await (await client.get("/api/v1/settings")).json())["items"]
        assert [each["name"] for each in told] == [KEY]
    assert not await pool.exists(f"arq:queue:{KEY}")


async def _is_empty(pool: ArqRedis) -> bool:
    return not await pool.exists(KEY)


async def test_enqueue_from_the_command_line_and_the_filter_of_bulk_work_mean_that_queue(
    client: Client, pool: ArqRedis, start_worker: StartWorker, settings: Settings
) -> None:
    await start_worker([func(ok, name="ok")], queues=["arq:queue"])
    await pool.sadd(KEYS["queues"], KEY)  # type: ignore[misc]
    environment = {"ARQLIGHT_REDIS_URL": settings.redis_url or "", "ARQLIGHT_DATA_DIR": str(settings.data_dir)}
    run = await asyncio.to_thread(CliRunner().invoke, enqueue, ["ok", "--queue", KEY], env=environment)
    assert run.exit_code == 0, run.output
    assert await pool.zcard(KEY) == 1
    await pool.hset(KEYS["job"] + "bad", mapping={"state": "failed", "queue": KEY, "task": "ok", "attempts": 1})  # type: ignore[misc]
    await pool.zadd(KEYS["failed"], {"bad": 1})
    answer = await client.post("/api/v1/operations", json={"kind": "delete", "queue": KEY})
    operation = await answer.json()
    assert answer.status == 202, json.dumps(operation)

    async def gone() -> bool:
        return not await pool.zcard(KEYS["failed"])

    await eventually(gone)
