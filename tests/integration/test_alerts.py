"""Alerts: sent once by mail and webhook, by a job where a worker runs it, by the service where none does."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from arq.connections import ArqRedis

from arqlight.checked_fields import Secret
from arqlight.connections.named import open_connections
from arqlight.families.email.sending import send_email
from arqlight.families.webhooks.delivery import deliver_webhook
from arqlight.settings import Settings
from arqlight_service.operations.alerts import Alerts
from tests.conftest import StartWorker
from tests.support.smtp import MailServer
from tests.support.waiting import eventually


class Told:
    """A webhook receiver, and a service that tells it."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.bodies.append((await request.json())["data"])
        return web.Response()


@pytest.fixture
async def told() -> AsyncIterator[tuple[Told, str]]:
    receiver, app = Told(), web.Application()
    app.router.add_post("/alert", receiver.take)
    async with TestServer(app, host="127.0.0.1") as server:
        yield receiver, str(server.make_url("/alert"))


def watching(settings: Settings, url: str, mail_server: MailServer, rules: str, **more: Any) -> Alerts:
    """Alerts that look when they are told to."""
    changed = settings.changed(
        alerts=rules, alert_webhook=Secret(url), alert_email="ops@example.org", smtp_port=mail_server.port,
        webhook_allowed_networks="127.0.0.0/8", **more,
    )  # fmt: skip
    connections = open_connections(changed)
    assert connections.home
    return Alerts(changed, connections, connections.home)


async def test_no_worker_is_told_by_the_service_itself_and_once(
    pool: ArqRedis, settings: Settings, told: tuple[Told, str], mail_server: MailServer
) -> None:
    receiver, url = told
    await pool.enqueue_job("work")
    await pool.sadd("arqlight:queues", "arq:queue")  # type: ignore[misc]
    alerts = watching(settings, url, mail_server, "no_worker_s>0", public_url="https://jobs.example.org")
    same = watching(settings, url, mail_server, "no_worker_s>0")
    assert [alert.text for alert in await alerts.look()] == ["1 jobs of connection 'default' wait and no worker runs"]
    assert await alerts.look() == []
    assert await same.look() == [], "another replica told it"
    assert [body["rule"] for body in receiver.bodies] == ["no_worker_s>0"]
    assert len(mail_server.messages) == 1
    mail = mail_server.messages[0]
    assert mail["To"] == "ops@example.org"
    assert "[WARNING] 1 jobs of connection 'default' wait" in mail["Subject"]
    await pool.delete(*await pool.keys("arqlight:alerted:*"))  # the quiet period is over
    assert len(await alerts.look()) == 1
    for each in (alerts, same):
        await each._connections.close()


async def test_depth_age_and_failures_are_told_by_jobs_of_ours(
    pool: ArqRedis, settings: Settings, told: tuple[Told, str], mail_server: MailServer, start_worker: StartWorker
) -> None:
    from arqlight.bundled import close_clients, open_clients

    async def boom(ctx: dict[str, Any]) -> None:
        raise ValueError("no")

    receiver, url = told
    alerts = watching(settings, url, mail_server, "depth>2,oldest_s>60,failure_rate>0.5")
    await start_worker(
        [boom, send_email, deliver_webhook], queues=["arq:queue", "arq:queue:emails"], max_tries=1,
        on_startup=open_clients, on_shutdown=close_clients, ctx={"settings": alerts._settings},
    )  # fmt: skip
    for _ in range(12):
        await pool.enqueue_job("boom")
    for number in range(3):
        await pool.enqueue_job("work", _job_id=f"waits-{number}", _queue_name="arq:queue:idle")
    await pool.zadd("arq:queue:idle", {"waits-0": time.time() * 1000 - 120_000})
    await pool.sadd("arqlight:queues", "arq:queue:idle")  # type: ignore[misc]
    await eventually(lambda: _has_failed(pool, 12))
    found = {alert.rule.measure: alert.text for alert in await alerts.look()}
    assert set(found) == {"depth", "oldest_s", "failure_rate"}
    assert found["depth"] == "3 jobs wait in queue 'idle' of connection 'default'"
    assert "12 of 12 jobs of queue 'default'" in found["failure_rate"]

    async def all_came() -> bool:
        return (len(receiver.bodies), len(mail_server.messages)) == (3, 3)

    await eventually(all_came)

    async def as_jobs() -> bool:
        return bool(await pool.zcard("arqlight:succeeded") == 6)

    await eventually(as_jobs)
    await alerts._connections.close()


async def _has_failed(pool: ArqRedis, number: int) -> bool:
    return bool(await pool.zcard("arqlight:failed") == number)
