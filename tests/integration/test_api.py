"""The REST API says what it did, and refuses in plain words."""

import json
from typing import Any

import pytest
from arq import func
from arq.connections import ArqRedis

from tests.conftest import Client, StartWorker
from tests.support.waiting import eventually

JOBS = "/api/v1/jobs"


async def ok(ctx: dict[str, Any], *args: Any, **kwargs: Any) -> str:
    return "fine"


async def broken(ctx: dict[str, Any], *args: Any, **kwargs: Any) -> None:
    raise ValueError("broken <script>alert(1)</script>")


async def post(client: Client, body: Any) -> tuple[int, Any]:
    answer = await client.post(JOBS, json=body)
    return answer.status, await answer.json()


async def get(client: Client, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status == 200, await answer.text()
    return await answer.json()


async def test_a_job_is_enqueued_run_and_shown(client: Client, start_worker: StartWorker) -> None:
    await start_worker([ok])
    answer = await client.post(JOBS, json={"task": "ok", "args": [1], "kwargs": {"b": {"c": 2}}, "id": "odd/id ü?#"})
    assert answer.status == 201
    assert answer.headers["Location"] == "/api/v1/jobs/odd%2Fid%20%C3%BC%3F%23"
    job = await answer.json()
    assert {"id", "connection", "driver", "queue", "task", "state", "attempts", "created_at", "started_at", "finished_at",
            "worker", "args", "kwargs"} <= set(job)  # fmt: skip
    assert (job["driver"], job["queue"], job["args"], job["kwargs"]) == ("redis", "default", [1], {"b": {"c": 2}})

    async def ended() -> Any:
        shown = await get(client, answer.headers["Location"])
        return shown if shown["state"] == "succeeded" else None

    shown = await eventually(ended)
    assert (shown["result"], shown["attempts"], shown["failures"]) == ("fine", 1, [])
    assert shown["finished_at"].endswith("Z")
    listed = await get(client, f"{JOBS}?state=succeeded&task=ok&queue=default&q=ODD/ID")
    assert [job["id"] for job in listed["items"]] == ["odd/id ü?#"]


async def test_many_are_enqueued_at_once_or_none(client: Client, pool: ArqRedis, start_worker: StartWorker) -> None:
    worker = await start_worker([ok])
    await worker.close()
    status, body = await post(client, {"jobs": [{"task": "ok", "queue": "high"} for _ in range(300)]})
    assert status == 201
    assert len(set(body["ids"])) == 300
    status, problem = await post(client, {"jobs": [{"task": "ok", "id": "new"}, {"task": "ok", "id": body["ids"][0]}]})
    assert status == 409
    assert await pool.zcard("arq:queue:high") == 300
    assert not await pool.exists("arq:job:new")
    status, problem = await post(client, {"jobs": [{"task": "ok"}, {"task": "nope"}]})
    assert (status, problem["detail"].split(":")[0]) == (422, "jobs[1]")
    assert (await get(client, "/api/v1/stats"))["queued"] == 300


async def test_a_failed_job_is_listed_retried_and_deleted(
    client: Client, start_worker: StartWorker, pool: ArqRedis
) -> None:
    worker = await start_worker([func(broken, name="broken")])
    await post(client, {"task": "broken", "id": "x"})
    await eventually(lambda: pool.zcard("arqlight:failed"))
    [failed] = (await get(client, "/api/v1/failed"))["items"]
    assert {"error", "message", "trace", "fingerprint", "failed_at"} <= set(failed)
    assert (await get(client, "/api/v1/failed/x"))["error"] == "ValueError"
    await worker.close()
    answer = await client.post("/api/v1/failed/x/retry")
    assert answer.status == 200
    job = await answer.json()
    assert (job["state"], job["attempts"]) == ("queued", 0)
    assert (await client.post("/api/v1/failed/x/retry")).status == 404
    assert (await client.get("/api/v1/failed/x")).status == 404
    await start_worker([func(broken, name="broken")])
    await eventually(lambda: pool.zcard("arqlight:failed"))
    assert (await client.delete("/api/v1/failed/x")).status == 204
    answer = await client.delete("/api/v1/failed/x")
    assert answer.status == 404
    assert answer.content_type == "application/problem+json"
    assert (await client.get(f"{JOBS}/x")).status == 404


async def test_a_waiting_job_is_cancelled_and_a_running_one_is_asked(
    client: Client, start_worker: StartWorker, pool: ArqRedis
) -> None:
    import asyncio

    async def sleep(ctx: dict[str, Any]) -> None:
        await asyncio.sleep(60)

    await start_worker([func(sleep, name="sleep")])
    await post(client, {"task": "sleep", "id": "later", "delay_s": 60})
    answer = await client.post(f"{JOBS}/later/cancel")
    assert (answer.status, await answer.json()) == (202, {"id": "later", "state": "cancelled"})
    assert (await client.post(f"{JOBS}/later/cancel")).status == 409
    await post(client, {"task": "sleep", "id": "now"})
    await eventually(lambda: pool.exists("arq:in-progress:now"))
    assert (await client.post(f"{JOBS}/now/cancel")).status == 202
    await eventually(lambda: pool.zscore("arqlight:cancelled", "now"))


async def test_queues_and_workers_are_listed(client: Client, start_worker: StartWorker, pool: ArqRedis) -> None:
    worker = await start_worker([ok], queues=["arq:queue:high", "arq:queue"])
    await pool.enqueue_job("ok", _queue_name="arq:queue:lonely")

    async def lanes() -> Any:
        items = {item["queue"]: item for item in (await get(client, "/api/v1/queues"))["items"]}
        return items if {"high", "default", "lonely"} <= set(items) else None

    found = await eventually(lanes)
    assert (found["high"]["workers"], found["lonely"]["workers"], found["lonely"]["queued"]) == (1, 0, 1)
    [shown] = (await get(client, "/api/v1/workers"))["items"]
    assert (shown["id"], shown["queues"]) == (worker.id, ["high", "default"])
    stats = await get(client, "/api/v1/stats")
    assert (stats["active_queues"], stats["workers"]) == (3, 1)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{not json", 400, "not JSON"),
        (b"\xff\xfe\x00", 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        (b"[]", 422, "body"),
        (b"{}", 422, "task: Field required"),
        (
            b'{"task": "nope"}',
            503,
            "no worker has announced a task 'nope': none has announced any yet; bundled: deliver",
        ),
        (b'{"task": 7}', 422, "task: "),
        (b'{"task": "send_email"}', 422, "missing a required argument: 'to'"),
        (b'{"task": "send_email", "args": "a"}', 422, "args: "),
        (b'{"task": "send_email", "args": [1, 2], "extra": 1}', 422, "extra: "),
        (b'{"task": "send_email", "args": [1, 2], "delay_s": -1}', 422, "delay_s: "),
        (b'{"task": "send_email", "args": [1, 2], "delay_s": 1e300}', 422, "delay_s: "),
        (b'{"task": "send_email", "args": [1, 2], "delay_s": NaN}', 400, "NaN"),
        (b'{"task": "send_email", "args": [1, 2], "queue": "a b"}', 422, "queue: "),
        (b'{"task": "send_email", "args": [1, 2], "queue": "arq:abort"}', 422, "never seen"),
        (b'{"task": "send_email", "args": [1, 2], "queue": "health-check"}', 422, "health-check"),
        (b'{"task": "send_email", "args": [1, 2], "id": ""}', 422, "id: "),
        (b'{"task": "send_email", "args": [1, 2], "id": "a\\u0000b"}', 422, "control characters"),
        (b'{"task": "send_email", "args": [1, 2], "id": "\\ud800"}', 422, "id: "),
        (b'{"jobs": []}', 422, "jobs: "),
        (b'{"jobs": [{"task": "send_email", "args": [1, 2]}, {}]}', 422, "jobs.1.task"),
    ],
)
async def test_a_body_that_is_no_job_is_refused_with_the_reason(
    client: Client, pool: ArqRedis, body: bytes, status: int, words: str
) -> None:
    answer = await client.post(JOBS, data=body, headers={"Content-Type": "application/json"})
    problem = json.loads(await answer.text())
    assert (answer.status, answer.content_type) == (status, "application/problem+json")
    assert words in problem["detail"]
    assert {"type", "title", "status", "detail", "instance"} <= set(problem)
    assert not await pool.keys("arq:job:*")


async def test_a_body_over_the_limit_is_refused(client: Client) -> None:
    answer = await client.post(JOBS, data=b'{"task": "' + b"x" * (1024 * 1024) + b'"}')
    assert answer.status == 413
    assert "ARQLIGHT_MAX_BODY_BYTES" in (await answer.json())["detail"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/jobs?state=odd", 400), ("/api/v1/jobs?limit=0", 400), ("/api/v1/jobs?limit=x", 400),
        ("/api/v1/jobs?cursor=%F0%9F", 400), ("/api/v1/failed?cursor=nonsense", 400), ("/api/v1/jobs?wrong=1", 400),
        ("/api/v1/jobs?connection=other", 404), ("/api/v1/jobs/%ff%00", 404), ("/jobs/%ff%00", 404), ("/api/v1/jobs/none", 404),
        ("/api/v1/failed/none", 404), ("/api/v1/nothing", 404), ("/jobs/none", 404), ("/failed?cursor=x", 400),
        ("/static/../pyproject.toml", 404), ("/api/v1/feed?subscribe=odd", 400), ("/api/v1/feed?since=odd", 400),
    ],
)  # fmt: skip
async def test_a_bad_address_is_answered_with_a_problem(client: Client, path: str, status: int) -> None:
    from yarl import URL

    answer = await client.get(URL(path, encoded=True))
    assert answer.status == status, await answer.text()
    assert (await answer.json())["status"] == status


async def test_a_method_that_is_not_there_says_what_is(client: Client) -> None:
    answer = await client.put("/api/v1/stats")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_other_sites_and_foreign_hosts_are_refused(client: Client) -> None:
    answer = await client.post(JOBS, json={}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status == 403
    answer = await client.delete("/api/v1/failed/x", headers={"Origin": "https://evil.example"})
    assert answer.status == 403
    answer = await client.get("/api/v1/stats", headers={"Host": "evil.example"})
    assert answer.status == 421
    answer = await client.get("/")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_a_task_with_its_own_serializer_is_not_enqueued_as_pickle(
    client: Client, start_worker: StartWorker
) -> None:
    import msgpack

    await start_worker([ok], job_serializer=msgpack.packb, job_deserializer=msgpack.unpackb)
    status, problem = await post(client, {"task": "ok"})
    assert (status, "serializer of its own" in problem["detail"]) == (422, True)


async def test_health_and_readiness_tell_the_process_from_its_server(settings: Any) -> None:
    from aiohttp.test_utils import TestClient, TestServer

    from arqlight_service.app import create_app

    away = settings.changed(redis_url="redis://127.0.0.1:1/0")
    async with TestClient(TestServer(create_app(away))) as client:
        assert (await client.get("/healthz")).status == 200
        for path in ("/readyz", "/api/v1/stats", "/"):
            answer = await client.get(path)
            assert answer.status == 503
            assert "does not answer" in (await answer.json())["detail"]
        answer = await client.get("/", headers={"Accept": "text/html"})
        assert (answer.status, answer.content_type) == (503, "text/html")


async def test_pages_read_without_javascript_and_show_markup_as_text(
    client: Client, start_worker: StartWorker, pool: ArqRedis
) -> None:
    await start_worker([func(broken, name="broken")])
    await post(client, {"task": "broken", "id": "<b>id</b>", "kwargs": {"note": "<img src=x onerror=alert(1)>"}})
    await eventually(lambda: pool.zcard("arqlight:failed"))
    for path in ("/", "/failed", "/jobs/%3Cb%3Eid%3C%2Fb%3E"):
        answer = await client.get(path)
        text = await answer.text()
        assert answer.status == 200
        assert "broken &lt;script&gt;alert(1)&lt;/script&gt;" in text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
    answer = await client.post("/failed/%3Cb%3Eid%3C%2Fb%3E/delete", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    assert await pool.zcard("arqlight:failed") == 0
