"""The flags, exit codes and lines of the `arq` command, at `arqlight worker`."""

import asyncio
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from arq import func
from arq.connections import ArqRedis, RedisSettings

from arqlight.settings import Settings
from arqlight.worker.worker import Worker
from tests.conftest import Client
from tests.support.waiting import eventually

Spawn = Callable[..., "subprocess.Popen[str]"]
APP = "tests.support.apps.logging_app.WorkerSettings"


@pytest.fixture
def app(settings: Settings) -> dict[str, str]:
    return {"APP_REDIS": str(settings.redis_url)}


async def _said(process: "subprocess.Popen[str]") -> str:
    return (await asyncio.to_thread(process.communicate, timeout=40))[0]


async def test_check_tells_by_its_exit_code_whether_a_worker_lives(
    pool: ArqRedis, spawn: Spawn, app: dict[str, str]
) -> None:
    check = spawn("worker", APP, "--check", **app)
    assert "Health check failed: no health check sentinel value found" in await _said(check)
    assert check.returncode == 1
    spawn("worker", APP, **app)
    await eventually(lambda: pool.get("arq:queue:health-check"), within_s=20)
    check = spawn("worker", APP, "--check", **app)
    assert "Health check successful" in await _said(check)
    assert check.returncode == 0
    check = spawn("worker", APP, "--check", **app | {"ARQLIGHT_REDIS_URL": "redis://127.0.0.1:1"})
    assert "Health check failed: nothing listens there" in await _said(check)
    assert check.returncode == 1


async def test_the_health_key_of_an_idle_worker_never_lapses(pool: ArqRedis, spawn: Spawn, app: dict[str, str]) -> None:
    spawn("worker", APP, **app)
    await eventually(lambda: pool.get("arq:queue:health-check"), within_s=20)
    lives_ms = [await pool.pttl("arq:queue:health-check")]
    while len(lives_ms) < 300:
        lives_ms.append(await pool.pttl("arq:queue:health-check"))
        await asyncio.sleep(0.01)
    assert min(lives_ms) > 0, lives_ms


@pytest.mark.parametrize(("of_the_class", "flag", "ends"), [("1", "", True), ("1", "--no-burst", False),
                                                           ("", "--burst", True)])  # fmt: skip
async def test_burst_is_the_classs_unless_a_flag_says_otherwise(
    pool: ArqRedis, spawn: Spawn, app: dict[str, str], of_the_class: str, flag: str, ends: bool
) -> None:
    job = await pool.enqueue_job("speak")
    worker = spawn("worker", APP, *flag.split(), **app, APP_BURST=of_the_class)
    assert job
    assert await job.result(timeout=20, poll_delay=0.05) == "the application's, its own"
    if not ends:
        with pytest.raises(subprocess.TimeoutExpired):
            await asyncio.to_thread(worker.wait, timeout=1)
        worker.send_signal(signal.SIGTERM)
    await _said(worker)
    assert worker.returncode == 0


@pytest.mark.parametrize("where", ["nowhere", "import", "startup"])
async def test_logging_is_the_applications_and_no_line_is_doubled(
    pool: ArqRedis, spawn: Spawn, client: Client, app: dict[str, str], where: str
) -> None:
    await pool.enqueue_job("speak", _job_id="it")
    said = await _said(spawn("worker", APP, "--burst", **app, APP_LOGGING=where))
    lines = [line for line in said.splitlines() if "← it:speak" in line]
    assert len(lines) == 1, said
    assert lines[0].startswith("OWN") is (where != "nowhere"), said
    assert len(re.findall("Starting worker for 1 functions: speak", said)) == 1, said
    assert len(re.findall("a library's warning", said)) == 1, said
    assert len(re.findall("a library's line", said)) == (0 if where == "nowhere" else 1), said
    assert ("abc-def-12345" in said) is (where != "nowhere"), said
    answer = await (await client.get("/api/v1/logs", params={"job": "it"})).json()
    assert {line["message"][:19] for line in answer["items"]} >= {"a library's line", "a library's warning"}, answer
    assert "abc-def-12345" not in str(answer)


async def test_a_custom_dictionary_for_arqs_logger_counts_for_ours(
    pool: ArqRedis, spawn: Spawn, app: dict[str, str]
) -> None:
    await pool.enqueue_job("speak", _job_id="it")
    name = "tests.support.apps.logging_app.LOGGING"
    said = await _said(spawn("worker", APP, "--burst", "--custom-log-dict", name, **app))
    assert len(re.findall(r"FROM-DICT arqlight\.worker .*← it:speak", said)) == 1, said
    assert len(re.findall("← it:speak", said)) == 1, said


@pytest.mark.parametrize(("name", "why"), [("NO_DICT", "is a str; name a dict"), ("BROKEN", "cannot be used"),
                                          ("MISSING", "MISSING")])  # fmt: skip
async def test_a_dictionary_that_is_none_is_one_sentence(
    pool: ArqRedis, spawn: Spawn, app: dict[str, str], name: str, why: str
) -> None:
    worker = spawn("worker", APP, "--custom-log-dict", f"tests.support.apps.logging_app.{name}", **app)
    said = await _said(worker)
    assert worker.returncode == 2
    assert why in said
    assert len(said.splitlines()) == 1, said


async def test_where_class_and_environment_name_a_server_it_is_said_which_one_counts(
    pool: ArqRedis, spawn: Spawn, app: dict[str, str]
) -> None:
    said = await _said(spawn("worker", APP, "--burst", **app))
    assert "(ARQLIGHT_REDIS_URL), not redis_settings of the worker settings" in said
    quiet = await _said(spawn("worker", APP, "--burst", "-v", **app))
    assert len(quiet) >= len(said)


async def test_watch_starts_the_worker_again_with_the_changed_code(
    pool: ArqRedis, spawn: Spawn, app: dict[str, str], tmp_path: Path
) -> None:
    source = tmp_path / "watched.py"
    source.write_text(
        "async def answer(ctx):\n    return 'before'\n\n\nclass WorkerSettings:\n    functions = [answer]\n"
    )
    worker = spawn("worker", "watched.WorkerSettings", "--watch", str(tmp_path), cwd=tmp_path, **app)

    async def answers(text: str) -> bool:
        job = await pool.enqueue_job("answer")
        assert job
        return bool(await job.result(timeout=20, poll_delay=0.05) == text)

    assert await answers("before")
    source.write_text(source.read_text().replace("before", "after"))
    await eventually(lambda: answers("after"), within_s=30)
    worker.send_signal(signal.SIGTERM)
    said = await _said(worker)
    assert worker.returncode == 0, said
    assert "files changed" in said


async def test_workers_that_share_one_ctx_each_lend_their_own_progress_to_its_tasks(
    pool: ArqRedis, settings: Settings
) -> None:
    seen: list[tuple[bool, object]] = []
    ctx: dict[Any, Any] = {"log": "the application's own"}  # an attribute of its class, that arq keeps as it is

    async def look(ctx: dict[str, Any]) -> None:
        seen.append((ctx["progress"] is worker.progress, ctx["log"]))

    for _ in range(2):
        await pool.enqueue_job("look")
        worker = Worker(
            [func(look, name="look")], settings=settings, ctx=ctx, burst=True, handle_signals=False,
            redis_settings=RedisSettings.from_dsn(str(settings.redis_url)),
        )  # fmt: skip
        await worker.main()
        await worker.close()
    assert seen == [(True, "the application's own")] * 2
