"""A task family of somebody else's: found by its entry points, with no change to ours."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from arq.connections import ArqRedis

from arqlight.settings import Settings
from tests.conftest import ROOT
from tests.support.plug_in import CRM, CRM_POINTS, install
from tests.support.waiting import eventually

Spawn = Callable[..., subprocess.Popen[str]]


def _path(folder: Path) -> dict[str, str]:
    return {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


def _run(folder: Path, *command: str, **environment: str) -> tuple[int, str]:
    """A command's exit code, and what it wrote to standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "arqlight_service", *command], capture_output=True, text=True, check=False, timeout=60,
        env=os.environ | _path(folder) | {"ARQLIGHT_REDIS_URL": "redis://127.0.0.1:1/0"} | environment,
    )  # fmt: skip
    return done.returncode, done.stderr


async def test_a_family_of_ones_own_works_in_worker_service_and_navigation(
    pool: ArqRedis, settings: Settings, spawn: Spawn, tmp_path: Path
) -> None:
    install(tmp_path, "acme-crm", CRM, CRM_POINTS)
    mine = _path(tmp_path) | {"ARQLIGHT_CRM_URL": "https://crm.test", "ARQLIGHT_DATA_DIR": str(tmp_path / "data")}
    service = spawn("server", "--port", "0", **mine)
    spawn("worker", "--queues", "crm", **mine)
    assert service.stdout
    address = (await asyncio.to_thread(service.stdout.readline)).split()[-1]
    async with aiohttp.ClientSession() as session:

        async def get(path: str) -> Any:
            async with session.get(address + path) as answer:
                return await answer.json() if answer.content_type == "application/json" else await answer.text()

        async with session.post(f"{address}/api/v1/jobs", json={"task": "greet_customer", "args": ["ada"]}) as answer:
            job = (await answer.json())["id"]
            assert answer.status == 201, "the service knows the task before any worker does"

        async def result() -> Any:
            return (await get(f"/api/v1/jobs/{job}"))["result"]

        assert await eventually(result, within_s=30) == "hello ada from https://crm.test"
        assert (await get("/api/v1/customers"))["items"] == [{"name": "ada"}]
        assert '<a href="/customers">Customers</a>' in await get("/")
        page = await get("/customers")
        assert '<a href="/customers" aria-current="page">Customers</a>' in page
        assert "<li>ada</li>" in page
        document = await get("/api/v1/openapi.json")
        assert document["paths"]["/api/v1/customers"]["get"]["tags"] == ["customers"]
        assert "crm-greetings" in [each["name"] for each in (await get("/api/v1/schedules"))["items"]]


async def test_the_package_that_the_documents_show_works_as_it_stands(
    pool: ArqRedis, settings: Settings, spawn: Spawn, tmp_path: Path
) -> None:
    text = (ROOT / "docs" / "extending.md").read_text()
    files = dict(re.findall(r"^`(invoices/[\w/.]+)`:\n\n```\w+\n(.*?)^```$", text, re.S | re.M))
    points = re.search(r"```toml\n(.*?)^```$", text, re.S | re.M)
    assert points
    assert len(files) == 4
    named = points[1][points[1].index("[project.entry-points") :]
    entry_points = named.replace('[project.entry-points."', "[").replace('"]', "]").replace('"', "")
    install(tmp_path, "invoices", files, entry_points)
    sent: list[tuple[str, str | None]] = []

    async def billing(request: web.Request) -> web.Response:
        sent.append((request.path, request.headers.get("Authorization")))
        return web.Response(status=404 if request.path == "/invoices/5/send" else 200)

    app = web.Application()
    app.router.add_post("/{path:.*}", billing)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        mine = _path(tmp_path) | {
            "ARQLIGHT_INVOICE_URL": str(server.make_url("/")), "ARQLIGHT_INVOICE_TOKEN": "let-me-in",
            "ARQLIGHT_DATA_DIR": str(tmp_path / "data"),
        }  # fmt: skip
        service = spawn("server", "--port", "0", **mine)
        spawn("worker", "--queues", "default,invoices", **mine)
        assert service.stdout
        address = (await asyncio.to_thread(service.stdout.readline)).split()[-1]

        async def job_of(number: int) -> str:
            async with session.post(f"{address}/api/v1/invoices", json={"number": number}) as answer:
                assert answer.status == 202
                return str((await answer.json())["id"])

        jobs = {"succeeded": await job_of(4), "failed": await job_of(5)}

        async def have_ended() -> bool:
            for state, job in jobs.items():
                async with session.get(f"{address}/api/v1/jobs/{job}") as answer:
                    if (await answer.json())["state"] != state:
                        return False
            return True

        await eventually(have_ended, within_s=30)
        assert set(sent) == {("/invoices/4/send", "Bearer let-me-in"), ("/invoices/5/send", "Bearer let-me-in")}
        async with session.get(f"{address}/invoices") as answer:
            assert 'action="/api/v1/invoices"' in await answer.text()
        async with session.post(f"{address}/api/v1/invoices", json={"number": 0}) as answer:
            assert answer.status == 422


def test_its_settings_are_flags_and_are_checked_at_the_start(tmp_path: Path) -> None:
    install(tmp_path, "acme-crm", CRM, CRM_POINTS)
    code, said = _run(tmp_path, "worker", "--crm-batch", "1000")
    assert (code, said) == (2, "arqlight: setting ARQLIGHT_CRM_BATCH='1000': it must be at most 100\n")


@pytest.mark.parametrize("command", ["worker", "server", "up"])
@pytest.mark.parametrize(
    ("files", "points", "said"),
    [
        pytest.param(
            {"broken_crm.py": "import not_there"}, "[arqlight.families]\ncrm = broken_crm:FAMILY\n",
            "family 'crm' of acme-crm cannot be imported: ModuleNotFoundError: No module named 'not_there' (", id="it needs what is not installed",
        ),
        pytest.param(
            {"broken_crm.py": "1 / 0"}, "[arqlight.families]\ncrm = broken_crm:FAMILY\n",
            "family 'crm' of acme-crm cannot be imported: ZeroDivisionError: division by zero (", id="its import fails",
        ),
        pytest.param(
            CRM, CRM_POINTS.replace("crm = ", "email = "),
            "two plug-ins are named 'email', one of arqlight and one of acme-crm; uninstall one, or give it another name",
            id="its name is taken",
        ),
        pytest.param(
            {"odd_crm.py": "FAMILY = 1"}, "[arqlight.families]\ncrm = odd_crm:FAMILY\n",
            "plug-in 'crm' of acme-crm: odd_crm:FAMILY is not a Family named 'crm'", id="it is none",
        ),
        pytest.param(
            {"odd_crm.py": "from arqlight import Family\nFAMILY = Family('other')"},
            "[arqlight.families]\ncrm = odd_crm:FAMILY\n",
            "plug-in 'crm' of acme-crm: odd_crm:FAMILY is not a Family named 'crm'", id="it has another name",
        ),
        pytest.param(
            {"odd_crm.py": "from arqlight import Family, task\n@task()\nasync def send_email(ctx): ...\n"
                           "FAMILY = Family('crm', [send_email])"},
            "[arqlight.families]\ncrm = odd_crm:FAMILY\n",
            "task 'send_email' of family 'crm' is one of 'email' already; rename it, or uninstall one of the two",
            id="its task's name is taken",
        ),
        pytest.param(
            {"odd_crm.py": "from arqlight import Family\nasync def greet(ctx): ...\nFAMILY = Family('crm', [greet])"},
            "[arqlight.families]\ncrm = odd_crm:FAMILY\n", "is no task; declare it with @task(...)", id="its task is none",
        ),
    ],
)  # fmt: skip
def test_a_plug_in_that_cannot_work_is_one_clear_sentence_and_nothing_is_started(
    tmp_path: Path, command: str, files: dict[str, str], points: str, said: str
) -> None:
    install(tmp_path, "acme-crm", files, points)
    code, told = _run(tmp_path, command, "--data-dir", str(tmp_path / "data"))
    assert code == 2, told
    assert said in told
    assert len(told.splitlines()) == 1
    assert told.startswith("arqlight: ")
    assert not (tmp_path / "data").exists()


def test_a_route_that_is_taken_is_one_clear_sentence(tmp_path: Path) -> None:
    files = {**CRM, "acme_crm/service.py": CRM["acme_crm/service.py"].replace("/api/v1/customers", "/api/v1/webhooks")}
    install(tmp_path, "acme-crm", files, CRM_POINTS)
    code, told = _run(tmp_path, "server", "--port", "0")
    assert code == 2, told
    assert told.startswith("arqlight: family 'crm': a route of it is taken")
    assert len(told.splitlines()) == 1


def test_a_call_of_the_api_that_states_nothing_is_one_clear_sentence(tmp_path: Path) -> None:
    files = {**CRM, "acme_crm/service.py": CRM["acme_crm/service.py"].replace("@call(Role.VIEWER, tag=\"customers\", answers={200: Items[Customer]})", "")}  # fmt: skip
    install(tmp_path, "acme-crm", files, CRM_POINTS)
    code, told = _run(tmp_path, "server", "--port", "0")
    assert code == 2, told
    assert "GET /api/v1/customers" in told
    assert len(told.splitlines()) == 1
