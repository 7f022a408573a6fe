"""What people install: wheel and sdist, in fresh environments, beside a project with folders named as ours."""

import re
import signal
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support import installed, plug_in
from tests.support.installed import Environment, Release
from tests.support.waiting import eventually

START_AND_STOP = """
import asyncio
from arqlight.bundled import bundled_tasks, close_clients, open_clients

async def main():
    ctx = {}
    await open_clients(ctx)
    await bundled_tasks()["greet_customer"].coroutine(ctx, name="Ada")
    await close_clients(ctx)
    print(ctx["crm"])

asyncio.run(main())
"""
FAIL_TO_START = """
import asyncio
from arqlight.bundled import close_clients, open_clients

async def main():
    ctx = {}
    try:
        await open_clients(ctx)
    except ConnectionError as error:
        await close_clients(ctx)
        print(error, ctx["crm"])

asyncio.run(main())
"""
Start = Callable[[Environment, Path, str], "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return installed.build(tmp_path_factory.mktemp("release"))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start `arqlight …` in a folder; it ends with the test, and its log is in the test's own folder."""
    with ExitStack() as ending:

        def begin(environment: Environment, folder: Path, command: str) -> "subprocess.Popen[str]":
            log = ending.enter_context((tmp_path / f"{command.split()[0]}.log").open("w"))
            process = subprocess.Popen(
                environment.command(*command.split()), cwd=folder, env=installed.clean_environment() | {"PORT": "0"},
                stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
            ending.callback(process.communicate)
            ending.callback(process.send_signal, signal.SIGTERM)
            return process

        yield begin


def test_the_sdist_builds_the_same_wheel_as_the_tree(release: Release) -> None:
    assert installed.contents(release.wheel) == installed.contents(release.direct)


def test_wheel_and_sdist_hold_what_is_ours_and_nothing_else(release: Release) -> None:
    names = installed.contents(release.wheel)
    assert {name.split("/")[0] for name in names} == {"arqlight", "arqlight_service", "arqlight-0.1.0.dist-info"}
    assert not [name for name in names if name.endswith(".pyc") or "/node_modules/" in name]
    assert {"arqlight/py.typed", "arqlight_service/py.typed", "arqlight_service/web/static/live.js"} <= set(names)
    with tarfile.open(release.sdist) as sdist:
        tops = {name.split("/")[1] for name in sdist.getnames()}
    assert {"workers", "service", "web", "pyproject.toml", "README.md", "LICENSE", "PKG-INFO"} <= tops
    assert not tops & {".git", ".venv", ".hypothesis", ".pytest_cache", ".arqlight", "dist"}


@pytest.mark.parametrize("with_extras", [False, True], ids=["bare", "with extras"])
async def test_what_is_installed_works_beside_folders_of_the_same_names(
    release: Release, tmp_path: Path, start: Start, with_extras: bool
) -> None:
    environment = installed.install(release.wheel, release.extras() if with_extras else [], tmp_path / "environment")
    tops = {path.name for path in environment.packages.iterdir()}
    assert not tops & {"workers", "service", "web", "tests"}
    if not with_extras:
        _report(release, environment)
    folder = installed.lay_out(tmp_path / "project")
    assert installed.run(environment.command("--version"), folder).strip() == "arqlight, version 0.1.0"

    up = start(environment, folder, "up")
    assert up.stdout
    found = re.search(r"http://\S+", up.stdout.readline())
    assert found, (tmp_path / "up.log").read_text()
    address = found[0].rstrip("/")
    start(environment, folder, "worker workers.settings.WorkerSettings")
    # Where the worker has told that it knows the task, its own queue is found by the task's name.
    await eventually(lambda: _knows(address, "greet"), within_s=40)
    job_id = installed.run(environment.command("enqueue", "greet", "name=Ada"), folder).strip()
    job = await eventually(lambda: _ended(address, job_id), within_s=30)
    assert job["state"] == "succeeded", job
    assert job["result"] == ["hello Ada", *(f"{each} of the application" for each in ("service", "web", "tests"))]

    async with aiohttp.ClientSession(address) as session:
        page = await (await session.get("/")).text()
        shown = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
        assert shown, page
        for path in shown:
            assert (await session.get(path)).status == 200, path
    up.send_signal(signal.SIGTERM)
    assert up.wait(timeout=40) == 0, (tmp_path / "up.log").read_text()


NEEDED = {
    "ARQLIGHT_TRACES": ("true", "otel", "server", "worker workers.settings.WorkerSettings", "up"),
    "ARQLIGHT_AUTH": ("oidc", "oidc", "server", "up"),
    "ARQLIGHT_CONNECTIONS": ("billing=postgresql://127.0.0.1:1/x", "postgres", "server", "up"),
    "ARQLIGHT_DATABASE_URL": (
        "postgresql://127.0.0.1:1/x",
        "postgres",
        "server",
        "worker workers.settings.WorkerSettings",
        "up",
        "audit export",
    ),
    "ARQLIGHT_STORAGE_URL": ("s3://exports", "s3", "server", "worker", "up"),
}
OIDC = {"ARQLIGHT_OIDC_ISSUER": "https://id.example", "ARQLIGHT_OIDC_CLIENT_ID": "x", "ARQLIGHT_ROLES": "ada=admin"}


def test_a_setting_that_needs_an_extra_is_one_sentence_before_anything_starts(release: Release, tmp_path: Path) -> None:
    bare = installed.install(release.wheel, [], tmp_path / "bare")
    families = installed.install(release.wheel, ["families"], tmp_path / "families")
    folder = installed.lay_out(tmp_path / "project")
    for name, (value, extra, *commands) in NEEDED.items():
        environment = families if extra == "s3" else bare
        for command in commands:
            data = tmp_path / "data"
            done = subprocess.run(
                environment.command(*command.split(), "--data-dir", str(data)), cwd=folder, capture_output=True,
                env=installed.clean_environment() | OIDC | {"PORT": "0", name: value}, text=True, timeout=60, check=False,
            )  # fmt: skip
            told = done.stdout + done.stderr
            assert done.returncode == 2, f"{name} {command}: {told}"
            assert len(told.splitlines()) == 1, f"{name} {command}: {told}"
            assert told.rstrip().endswith(f"pip install 'arqlight[{extra}]'"), f"{name} {command}: {told}"
            assert not data.exists(), f"{name} {command}"


def test_a_setting_of_a_family_that_is_not_installed_is_said_and_stops_nothing(
    release: Release, tmp_path: Path
) -> None:
    bare = installed.install(release.wheel, [], tmp_path / "bare")
    environment = installed.clean_environment() | {"ARQLIGHT_STORAGE_URL": "s3://exports"}
    with subprocess.Popen(
        bare.command("server", "--port", "0"), cwd=tmp_path, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as server:  # fmt: skip
        assert server.stdout
        assert "arqlight is at" in server.stdout.readline()
        server.send_signal(signal.SIGTERM)
        _, said = server.communicate(timeout=30)
    assert "nothing uses ARQLIGHT_STORAGE_URL: the family 'bulk' needs more packages" in said


def test_a_plug_in_family_runs_where_only_the_core_is_installed(release: Release, tmp_path: Path) -> None:
    environment = installed.install(release.wheel, [], tmp_path / "environment")
    plug_in.install(environment.packages, "acme-crm", plug_in.CRM, plug_in.CRM_POINTS)
    python = str(environment.command()[0]).replace("bin/arqlight", "bin/python")
    assert installed.run([python, "-c", START_AND_STOP], tmp_path).strip() == "['Ada', 'closed']"


def test_a_family_that_cannot_start_is_the_error_and_those_before_it_are_stopped(
    release: Release, tmp_path: Path
) -> None:
    environment = installed.install(release.wheel, [], tmp_path / "environment")
    plug_in.install(environment.packages, "acme-crm", plug_in.CRM, plug_in.CRM_POINTS)
    broken = {name.replace("acme_crm", "zeta_crm"): text for name, text in plug_in.CRM.items()}
    worker = broken["zeta_crm/worker.py"].replace("crm", "zeta").replace("greet_customer", "greet_zeta")
    broken["zeta_crm/worker.py"] = worker.replace('ctx["zeta"] = []', 'raise ConnectionError("zeta is away")')
    plug_in.install(environment.packages, "zeta", broken, "[arqlight.families]\nzeta = zeta_crm.worker:FAMILY\n")
    python = str(environment.command()[0]).replace("bin/arqlight", "bin/python")
    assert installed.run([python, "-c", FAIL_TO_START], tmp_path).strip() == "zeta is away ['closed']"


def _report(release: Release, environment: Environment) -> None:
    number, size_mb = len(release.requirements()), environment.installed_mb()
    installed.REPORT.parent.mkdir(exist_ok=True)
    installed.REPORT.write_text(f"arqlight without extras: {number} direct dependencies, {size_mb:.1f} MB installed\n")


async def _get(address: str, path: str) -> Any:
    try:
        async with aiohttp.ClientSession(address) as session, session.get(path) as answer:
            return await answer.json() if answer.status == 200 else None
    except aiohttp.ClientError:
        return None


async def _knows(address: str, task: str) -> bool:
    workers = await _get(address, "/api/v1/workers")
    return bool(workers) and any(task in worker["tasks"] for worker in workers["items"])


async def _ended(address: str, job_id: str) -> Any:
    job = await _get(address, f"/api/v1/jobs/{job_id}")
    return job if job and job["state"] in ("succeeded", "failed") else None
