"""Tools that others read such documents with accept ours, and the client that one of them writes works."""

import asyncio
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis

from arqlight.settings import load_settings
from arqlight_service.app import create_app
from arqlight_service.documents.asyncapi import describe_feed
from arqlight_service.documents.openapi import DOCUMENT
from tests.conftest import StartWorker
from tests.support.api_fuzzing import Spawn
from tests.support.node_programs import SOURCE, run_node_program
from tests.support.waiting import eventually

BIN = Path(sys.executable).parent
PACKAGE = "arqlight_client"


@pytest.fixture
def openapi(tmp_path: Path) -> Path:
    """The document of the whole service, in a file."""
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(create_app(load_settings(redis_url="redis://127.0.0.1:1/0"))[DOCUMENT]))
    return path


@pytest.fixture
def client_folder(openapi: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A client that openapi-python-client wrote from the document, on the path for imports."""
    folder = openapi.parent / "client"
    written = subprocess.run(
        [str(BIN / "openapi-python-client"), "generate", "--path", str(openapi), "--output-path", str(folder),
         "--fail-on-warning"],
        env=os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},  # it formats with ruff
        cwd=openapi.parent, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    said = written.stdout + written.stderr
    assert written.returncode == 0, said
    assert "warning" not in said.lower()
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


async def add(ctx: dict[str, Any], left: int, right: int) -> int:
    return left + right


async def fail(ctx: dict[str, Any]) -> None:
    raise ValueError("not today")


def _part(name: str) -> Any:
    return importlib.import_module(f"{PACKAGE}.{name}")


def test_the_asyncapi_parser_reads_the_document_of_the_feed_without_an_error(tmp_path: Path) -> None:
    parsed = run_node_program(
        "node", str(SOURCE / "parse_asyncapi.cjs"), cwd=tmp_path, stdin=json.dumps(describe_feed())
    )
    assert parsed.returncode == 0, parsed.stdout + parsed.stderr
    assert "/api/v1/feed" in parsed.stdout.split()


def test_redocly_finds_no_error_in_the_document_of_the_api(openapi: Path) -> None:
    linted = run_node_program("redocly", "lint", str(openapi), "--format", "json", cwd=openapi.parent)
    assert linted.returncode == 0, linted.stdout + linted.stderr
    report = json.loads(linted.stdout[linted.stdout.index("{") :])
    assert report["totals"]["errors"] == 0


async def test_a_generated_client_drives_a_running_service(
    client_folder: Path, pool: ArqRedis, start_worker: StartWorker, spawn: Spawn
) -> None:
    worker = await start_worker([add, fail], max_tries=1)
    service = spawn("server", "--port", "0", ARQLIGHT_LOG_LEVEL="ERROR")
    assert service.stdout
    address = (await asyncio.to_thread(service.stdout.readline)).split()[-1]
    models = _part("models")
    client = _part("client").Client(base_url=address, raise_on_unexpected_status=True)

    def call(operation: str, *arguments: Any, **named: Any) -> Any:
        return asyncio.to_thread(_part(f"api.{operation}").sync, *arguments, client=client, **named)

    request = models.JobRequest(task="add", args=[1, 2], id="sum")
    enqueued = await call("jobs.enqueue_post", body=request, idempotency_key="once")
    assert isinstance(enqueued, models.JobDetail)
    assert (enqueued.id, enqueued.task, enqueued.args) == ("sum", "add", [1, 2])
    many = await call("jobs.enqueue_post", body=models.JobsRequest(jobs=[models.JobRequest(task="fail", id="bad")]))
    assert isinstance(many, models.JobIds)
    assert many.ids == ["bad"]

    await eventually(lambda: pool.zcard("arqlight:failed"))
    await eventually(lambda: pool.zcard("arqlight:succeeded"))
    page = await call("jobs.list_jobs_get", state=models.ListJobsGetState.SUCCEEDED)
    assert isinstance(page, models.JobPage)
    assert [(job.id, job.state, job.worker) for job in page.items] == [("sum", models.JobState.SUCCEEDED, worker.id)]
    assert page.items[0].created_at <= page.items[0].finished_at
    assert page.next_ is None
    assert (await call("jobs.one_job_get", "sum")).result == 3

    page = await call("failed_jobs.list_failed_get", limit=10)
    assert isinstance(page, models.FailedJobPage)
    [job] = page.items
    assert (job.id, job.state, job.error, job.message) == (
        "bad", models.FailedJobState.FAILED, "ValueError", "not today",
    )  # fmt: skip
    assert "raise ValueError" in job.trace
    retried = await call("failed_jobs.retry_post", "bad")
    assert isinstance(retried, models.JobDetail)
    assert (retried.state, retried.attempts) == (models.JobDetailState.QUEUED, 0)
    problem = await call("failed_jobs.retry_post", "nothing")
    assert isinstance(problem, models.Problem)
    assert problem.status == 404

    found = await call("workers.workers_get")
    assert isinstance(found, models.WorkerList)
    assert [(each.id, each.alive, sorted(each.tasks)) for each in found.items] == [(worker.id, True, ["add", "fail"])]
