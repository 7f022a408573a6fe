"""Jobs as an attack: bytes that would run code, break a reader, or show what nobody should see."""

import asyncio
import datetime
import json
import os
import pickle
import random
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from arq.connections import ArqRedis, RedisSettings, create_pool
from arq.jobs import Job
from arq.worker import Worker as PlainWorker

from arqlight.bundled_worker import WorkerSettings
from arqlight.jobs.secret_names import mask_also
from arqlight.jobs.secret_texts import MASK
from arqlight.jobs.serialization import RemoteError, read_json, read_plain, write_json
from arqlight.journal.reader import Reader
from arqlight.settings import Settings
from arqlight.worker.worker_settings import create_worker
from arqlight_service.app import create_app
from tests.conftest import Client, StartWorker
from tests.support.fuzzing import SCORES, hostile_bodies
from tests.support.waiting import eventually


class Bomb:
    """Unpickled by pickle itself, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


async def work(ctx: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
    return [list(args), kwargs]


def job_bytes(task: str, *args: Any, **kwargs: Any) -> bytes:
    return pickle.dumps({"t": None, "f": task, "a": args, "k": kwargs, "et": int(time.time() * 1000)})


async def put(pool: ArqRedis, job_id: str, raw: bytes, queue: str = "arq:queue") -> None:
    await pool.set(f"arq:job:{job_id}", raw)
    await pool.zadd(queue, {job_id: time.time() * 1000})


async def test_no_page_and_no_call_runs_what_a_pickle_says(
    client: Client, pool: ArqRedis, reader: Reader, tmp_path: Path
) -> None:
    sign = tmp_path / "it-ran"
    bomb = job_bytes("work", Bomb(sign), more=Bomb(sign))
    pickle.loads(bomb)
    assert sign.exists(), "the bomb works"
    sign.unlink()
    await put(pool, "bomb", bomb)
    await pool.set("arq:result:bomb2", pickle.dumps({"s": True, "r": Bomb(sign), "a": (), "k": {}}))
    for path in ("/", "/jobs", "/jobs/bomb", "/failed", "/queues", "/workers", "/api/v1/jobs", "/api/v1/jobs/bomb",
                 "/api/v1/jobs?q=bomb", "/metrics"):  # fmt: skip
        answer = await client.get(path, headers={"Accept": "text/html"})
        assert answer.status == 200, path
    shown = await (await client.get("/api/v1/jobs/bomb")).json()
    assert shown["args"] == ["<posix.system>"]
    again = await client.post("/api/v1/jobs/bomb/again", json={"args": [1], "kwargs": {}})
    assert again.status == 422
    assert not sign.exists()


async def test_the_bundled_tasks_refuse_a_hostile_pickle_under_our_worker_and_under_plain_arqs(
    pool: ArqRedis, redis_settings: RedisSettings, settings: Settings, start_worker: StartWorker, tmp_path: Path
) -> None:
    sign = tmp_path / "it-ran"
    await put(pool, "bomb", job_bytes("send_email", Bomb(sign), "two_factor"), "arq:queue:emails")
    await start_worker(
        list(WorkerSettings.functions), queues=["arq:queue:emails"], job_deserializer=WorkerSettings.job_deserializer
    )
    await eventually(lambda: pool.zscore("arqlight:failed", "bomb"))
    failure = json.loads((await pool.lrange("arqlight:history:bomb", 0, 0))[0])  # type: ignore[misc]
    assert "only plain values are read" in failure["message"]
    await put(pool, "bomb2", job_bytes("send_email", Bomb(sign), "two_factor"))
    plain = PlainWorker(
        list(WorkerSettings.functions), redis_pool=pool, burst=True, handle_signals=False, keep_result=60,
        job_deserializer=WorkerSettings.job_deserializer,
    )  # fmt: skip
    await plain.main()
    assert not await pool.zscore("arq:queue", "bomb2")
    assert not sign.exists()


async def test_with_json_no_worker_reads_a_pickle_and_nothing_of_ours_writes_one(
    pool: ArqRedis, redis_settings: RedisSettings, settings: Settings
) -> None:
    refusing = settings.changed(serializer="json")
    worker = create_worker({"functions": [work], "handle_signals": False, "max_tries": 1}, refusing)
    running = asyncio.create_task(worker.async_run())
    await put(pool, "pickled", job_bytes("work", 1))
    await eventually(lambda: pool.zscore("arqlight:failed", "pickled"))
    failure = json.loads((await pool.lrange("arqlight:history:pickled", 0, 0))[0])  # type: ignore[misc]
    assert "pickles are refused here" in failure["message"]
    async with TestClient(TestServer(create_app(refusing))) as client:
        body = {"task": "work", "args": [1, "ü"], "kwargs": {"deep": {"er": [None, True]}}, "id": "by-json"}
        assert (await client.post("/api/v1/jobs", json=body)).status == 201
        await eventually(lambda: pool.zscore("arqlight:succeeded", "by-json"))
        shown = await (await client.get("/api/v1/jobs/by-json")).json()
        assert (shown["task"], shown["state"]) == ("work", "succeeded")
        assert shown["result"] == [[1, "ü"], {"deep": {"er": [None, True]}}]
    raw = await pool.get("arq:result:by-json")
    assert raw is not None
    assert raw.startswith(b'{"t":')
    # An application's own arq client speaks it too.
    theirs = await create_pool(redis_settings, job_serializer=write_json, job_deserializer=read_json)
    job = await theirs.enqueue_job("work", 5, when=datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC))
    assert job is not None
    assert await job.result(timeout=10) == [[5], {"when": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)}]
    wrong = await theirs.enqueue_job("nothing")
    assert wrong is not None
    with pytest.raises(RemoteError, match="function 'nothing' not found"):
        await Job(wrong.job_id, theirs, _deserializer=read_json).result(timeout=10)
    await theirs.aclose()
    await worker.close()
    with __import__("contextlib").suppress(asyncio.CancelledError):
        await running


async def test_html_in_every_field_is_shown_as_text(client: Client, pool: ArqRedis, start_worker: StartWorker) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'"

    async def fails(ctx: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        raise ValueError(evil)

    fails.__qualname__ = evil
    await start_worker([__import__("arq").func(fails, name=evil)], max_tries=1, queues=[f"arq:queue:{evil}"])
    await put(pool, evil, job_bytes(evil, evil, **{evil: evil}), f"arq:queue:{evil}")
    await eventually(lambda: pool.zscore("arqlight:failed", evil))
    from urllib.parse import quote

    for path in ("/", "/jobs", "/failed", f"/jobs/{quote(evil, safe='')}", "/queues", "/workers", "/logs", "/settings",
                 f"/jobs?q={quote(evil)}", f"/failed?task={quote(evil)}"):  # fmt: skip
        text = await (await client.get(path, headers={"Accept": "text/html"})).text()
        assert "<script>alert" not in text, path
        assert "<img src=x" not in text, path


async def test_what_is_secret_by_name_or_by_setting_is_shown_nowhere(
    pool: ArqRedis, settings: Settings, start_worker: StartWorker
) -> None:
    hidden = {"password": "hunter2-hunter2", "iban": "DE02120300000000202051", "card_number": "4111-1111-1111-1111"}

    async def pay(ctx: dict[str, Any], **kwargs: Any) -> None:
        ctx["log"].info("paying with %s", kwargs["iban"])
        raise ValueError(f"the bank refused {kwargs['card_number']} of {kwargs['iban']}: {kwargs['password']}")

    masked = settings.changed(mask="iban, card_*")
    await start_worker([pay], max_tries=1, settings=masked)
    try:
        async with TestClient(TestServer(create_app(masked))) as client:
            socket = await client.ws_connect("/api/v1/feed")
            await socket.send_json({"subscribe": ["failed", "events", "active", "logs", "job:paid"], "since": None})
            frames = [await socket.receive_str(timeout=5)]
            await put(pool, "paid", job_bytes(pay.__qualname__, **hidden))
            while not any('"state": "failed"' in frame and '"event"' in frame for frame in frames):
                frames.append(await socket.receive_str(timeout=5))
            texts = frames
            for path in ("/", "/jobs", "/jobs/paid", "/failed", "/logs", "/api/v1/jobs/paid", "/api/v1/failed",
                         "/api/v1/logs", "/api/v1/groups"):  # fmt: skip
                texts.append(await (await client.get(path, headers={"Accept": "text/html"})).text())
            for text in texts:
                for secret in hidden.values():
                    assert secret not in text
            shown = await (await client.get("/api/v1/jobs/paid")).json()
            assert shown["kwargs"] == dict.fromkeys(hidden, MASK)
            assert MASK in shown["failures"][0]["message"]
    finally:
        mask_also(())


async def test_hostile_bodies_fail_alone_and_the_worker_goes_on(
    client: Client, pool: ArqRedis, start_worker: StartWorker, tmp_path: Path
) -> None:
    """A few of what `make fuzz` sends by the hundred thousand."""
    sign = tmp_path / "it-ran"
    await start_worker([work], max_tries=1, max_jobs=100, job_deserializer=read_plain)
    dice = random.Random(7)
    bodies = hostile_bodies(dice, 1_000, sign)
    async with pool.pipeline(transaction=False) as pipe:
        for number, raw in enumerate(bodies):
            pipe.set(f"arq:job:evil-{number}", raw)
            pipe.zadd("arq:queue", {f"evil-{number}": dice.choice(SCORES) or time.time() * 1000})
        await pipe.execute()
    await pool.enqueue_job("work", 1, _job_id="good")
    await eventually(lambda: pool.zscore("arqlight:succeeded", "good"), within_s=20)

    async def all_over() -> bool:
        return not await pool.zcard("arq:queue")

    await eventually(all_over, within_s=20)
    ended = await pool.zcard("arqlight:failed") + await pool.zcard("arqlight:succeeded")
    assert ended == 1_001
    for path in ("/", "/failed", "/jobs", "/charts", "/queues", "/metrics", "/api/v1/charts", "/api/v1/rates"):
        assert (await client.get(path)).status == 200, path
    assert not sign.exists()


async def test_a_job_cut_off_at_any_byte_fails_alone(pool: ArqRedis, start_worker: StartWorker) -> None:
    whole = job_bytes("work", "x")
    await start_worker([work], max_tries=1, max_jobs=100)
    for length in range(1, len(whole)):
        await put(pool, f"cut-{length}", whole[:length])

    async def all_failed() -> bool:
        return bool(await pool.zcard("arqlight:failed") == len(whole) - 1)

    await eventually(all_failed)
    assert await pool.zcard("arq:queue") == 0


async def test_a_job_run_again_unedited_has_the_arguments_it_had(
    client: Client, pool: ArqRedis, start_worker: StartWorker
) -> None:
    from arq import func

    args, kwargs = (b"abc", "a" * 30_000, {"deep": ((1,), {2})}), {"token": b"secret", "at": datetime.date(2026, 1, 2)}
    await start_worker([func(work, name="work")])
    await put(pool, "odd", job_bytes("work", *args, **kwargs), "arq:queue:elsewhere")

    async def found() -> Any:  # a queue that was never seen is noticed a moment later
        answer = await client.get("/api/v1/jobs/odd")
        return await answer.json() if answer.status == 200 else None

    shown = await eventually(found)
    sent = {"args": shown["args"], "kwargs": shown["kwargs"], "queue": "default"}
    answer = await client.post("/api/v1/jobs/odd/again", json=sent)
    assert answer.status == 201
    assert await Job((await answer.json())["id"], pool).result(timeout=10, poll_delay=0.05) == [list(args), kwargs]


SHARED_KEY = b"K\x01" + b"2\x86" * 30  # 2^30 steps to hash
HASHED = b"\x80\x04}(\x8c\x01f\x8c\x04work\x8c\x01a)\x8c\x01k}\x8c\x01x}" + SHARED_KEY + b"K\x01ss\x8c\x02etK\x01u."


def shared(depth: int = 40) -> Any:
    value: Any = ["x"]
    for _ in range(depth):
        value = [value, value]
    return value


async def test_a_job_over_the_budget_is_listed_with_a_sentence_and_a_worker_runs_it(
    client: Client, pool: ArqRedis, start_worker: StartWorker
) -> None:
    ran: list[int] = []

    async def take(ctx: dict[str, Any], value: Any, password: str) -> None:
        depth = 0
        while isinstance(value, list):
            value, depth = value[0], depth + 1
        ran.append(depth)
        raise ValueError(f"refused {password}")

    async def look() -> None:
        began = time.monotonic()
        for path in (
            "/",
            "/jobs",
            "/failed",
            "/api/v1/jobs",
            "/api/v1/jobs/shared",
            "/api/v1/jobs?q=x",
            "/jobs/shared",
        ):
            assert (await client.get(path, headers={"Accept": "text/html"})).status == 200, path
        assert time.monotonic() - began < 10

    await put(pool, "shared", job_bytes(take.__qualname__, shared(), password="hunter2-hunter2"))
    await put(pool, "hashed", HASHED)
    await look()
    for job_id, why in (("shared", "steps"), ("hashed", "a key of a dict")):
        shown = await (await client.get(f"/api/v1/jobs/{job_id}")).json()
        assert why in shown["arguments_problem"]
        assert shown["args"] == []
        again = await client.post(f"/api/v1/jobs/{job_id}/again", json={"args": [1], "kwargs": {}})
        assert again.status == 422
        assert why in (await again.json())["detail"]
    await pool.zrem("arq:queue", "hashed")  # Python's own unpickling would hash it
    await start_worker([take], max_tries=1)
    await eventually(lambda: pool.zscore("arqlight:failed", "shared"))
    assert ran == [41]
    failure = json.loads((await pool.lrange("arqlight:history:shared", 0, 0))[0])  # type: ignore[misc]
    assert failure["message"] == f"refused {MASK}"
    await look()


async def test_a_worker_that_reads_plain_values_fails_a_job_over_the_budget_alone(
    pool: ArqRedis, start_worker: StartWorker
) -> None:
    from arq import func

    bodies = [HASHED, job_bytes("work", shared()), job_bytes("work", x={"y": shared()})]
    for number in range(60):
        await put(pool, f"evil-{number}", bodies[number % len(bodies)])
    began = time.monotonic()
    await start_worker([func(work, name="work")], max_tries=1, max_jobs=100, job_deserializer=read_plain)
    await pool.enqueue_job("work", 1, _job_id="good")
    await eventually(lambda: pool.zscore("arqlight:succeeded", "good"))

    async def all_failed() -> bool:
        return bool(await pool.zcard("arqlight:failed") == 60)

    await eventually(all_failed)
    assert time.monotonic() - began < 10
