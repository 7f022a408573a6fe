"""Ids, queues and tasks of any bytes: whatever an arq client wrote can be listed, opened, retried and deleted."""

import time
from typing import Any
from urllib.parse import quote

import pytest
from arq import func
from arq.connections import ArqRedis

from arqlight.jobs.names import read_name, shown_name
from arqlight.journal.keys import KEYS
from arqlight_service.api.paths import segment
from tests.conftest import Client, StartWorker
from tests.integration.test_hostile_jobs import job_bytes
from tests.support.waiting import eventually

IDS = [b"{x}", b"{", b"{id:.*}", b".", b"..", b"..;", b"a/b", b"a%2Fb", b"%2e", b"a b+c?d#e&f", b"\xff\xfe", b"\x00", b"a\r\nb",
       rb"\xff", rb"\x5cx", "ü\u202e漢".encode(), b"~", b" ", b"x;", b"'\"<>"]  # fmt: skip
PAGE = {"Accept": "text/html"}


async def fails(ctx: dict[str, Any]) -> None:
    raise ValueError("no")


async def put(pool: ArqRedis, job_id: bytes, queue: bytes, task: str = "fails") -> None:
    await pool.set(b"arq:job:" + job_id, job_bytes(task))
    await pool.zadd(queue, {job_id: time.time() * 1000})


@pytest.mark.parametrize("job_id", IDS, ids=repr)
async def test_a_job_of_any_id_is_listed_opened_retried_and_deleted_by_page_and_by_api(
    client: Client, pool: ArqRedis, start_worker: StartWorker, job_id: bytes
) -> None:
    worker = await start_worker([func(fails, name="fails")], max_tries=1)
    await put(pool, job_id, b"arq:queue")

    async def failed() -> bool:
        return await pool.zscore(KEYS["failed"], job_id) is not None

    await eventually(failed)
    [listed] = (await (await client.get("/api/v1/failed")).json())["items"]
    assert listed["id"] == shown_name(read_name(job_id))
    at = segment(listed["id"])
    page = await (await client.get("/failed", headers=PAGE)).text()
    assert f'href="/jobs/{at}"' in page
    assert (await client.get(f"/jobs/{at}", headers=PAGE)).status == 200
    assert (await (await client.get(f"/api/v1/failed/{at}")).json())["id"] == listed["id"]
    assert (await client.post(f"/api/v1/failed/{at}/retry")).status == 200
    await eventually(failed)
    answer = await client.post(f"/failed/{at}/retry", headers={**PAGE, "Referer": "/failed"}, allow_redirects=False)
    assert answer.status == 303
    await eventually(failed)
    await worker.close()
    form = {"kind": "retry", "ids": listed["id"]}
    operation = await (await client.post("/api/v1/operations", data=form)).json()

    async def done() -> Any:
        told = await (await client.get(f"/api/v1/operations/{operation['id']}")).json()
        return told if told["state"] == "done" else None

    assert (await eventually(done))["done"] == 1
    assert (await client.get(f"/api/v1/jobs/{at}")).status == 200
    assert (await client.post(f"/api/v1/jobs/{at}/cancel")).status == 202
    assert await pool.zcard("arq:queue") == 0


@pytest.mark.parametrize("queue", [b"arq:queue:\xff", b"arq:queue:{a}", b"arq:queue:..", b"arq:queue:a\nb"], ids=repr)
async def test_a_queue_of_any_name_is_shown_filtered_paused_and_emptied(
    client: Client, pool: ArqRedis, queue: bytes
) -> None:
    await pool.sadd(KEYS["queues"], queue)  # type: ignore[misc]
    await put(pool, b"\xfe", queue, "\ud800")
    listed = (await (await client.get("/api/v1/queues")).json())["items"]
    [told] = [each for each in listed if each["queue"] != "default"]
    assert told["queued"] == 1
    for path in ("/", "/jobs", "/queues", "/settings", "/metrics", "/charts", f"/jobs?queue={quote(told['queue'])}"):
        answer = await client.get(path, headers=PAGE)
        assert answer.status == 200, path
    assert "fe" in await (await client.get(f"/jobs?queue={quote(told['queue'])}", headers=PAGE)).text()
    at = f"/api/v1/queues/{segment(told['queue'])}"
    assert (await client.post(f"{at}/pause")).status == 200
    assert await pool.smismember(KEYS["paused"], [queue]) == [1]  # type: ignore[misc]
    assert (await client.post(f"{at}/empty", json={"confirm": told["queue"]})).status == 202

    async def empty() -> bool:
        return not await pool.zcard(queue)

    await eventually(empty)


async def test_the_answer_for_a_large_job_names_its_task(client: Client, start_worker: StartWorker) -> None:
    await start_worker([func(fails, name="fails")])
    answer = await client.post("/api/v1/jobs", json={"task": "fails", "args": ["x" * 900_000], "delay_s": 60})
    assert (answer.status, (await answer.json())["task"]) == (201, "fails")


async def test_a_failed_job_that_went_while_the_list_was_read_is_no_row(client: Client, pool: ArqRedis) -> None:
    await pool.zadd(KEYS["failed"], {"gone": 1})
    assert (await (await client.get("/api/v1/failed")).json())["items"] == []


async def test_the_feed_tells_of_a_job_of_any_id(client: Client, pool: ArqRedis, start_worker: StartWorker) -> None:
    await start_worker([func(fails, name="fails")], max_tries=1)
    async with client.ws_connect("/api/v1/feed") as feed:
        await feed.send_json({"subscribe": ["failed", "events", r"job:\xff"]})
        assert [(await feed.receive_json())["topic"] for _ in range(3)] == ["failed", "events", r"job:\xff"]
        await put(pool, b"\xff", b"arq:queue")
        told: set[str] = set()
        while not {"failed", r"job:\xff", "event"} <= told:
            frame = await feed.receive_json(timeout=5)
            told.add(frame.get("topic") or frame["type"])
            if frame["type"] == "event":
                assert frame["job"] == r"\xff"


@pytest.mark.parametrize("job_id", [".", "..", r"\x41"])
async def test_an_id_that_no_address_can_carry_plainly_is_not_taken(
    client: Client, pool: ArqRedis, start_worker: StartWorker, job_id: str
) -> None:
    await start_worker([func(fails, name="fails")])
    answer = await client.post("/api/v1/jobs", json={"task": "fails", "id": job_id})
    assert (answer.status, (await answer.json())["field"]) == (422, "id")
