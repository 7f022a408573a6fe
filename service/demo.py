"""`arqlight up --demo`: a mail sink, a webhook receiver that fails now and then, and a steady trickle of real jobs."""

import asyncio
import contextlib
import logging
import os
import random
import secrets
import signal
from typing import Any

from aiohttp import web
from redis.asyncio import Redis
from redis.exceptions import RedisError

from workers.errors import SettingsError
from workers.journal import Journal, NewJob
from workers.settings import Settings, load_settings
from workers.tasks.email.sending import send_email
from workers.tasks.webhooks.delivery import deliver_webhook

logger = logging.getLogger("arqlight.demo")
SECRET = "whsec_" + "ZGVtby1vbmx5LWRlbW8tb25seS1kZW1v"
PEOPLE = ("ada", "grace", "linus", "margaret", "dennis", "barbara", "ken", "radia")
PRODUCTS = ("Lumen Pro", "Lumen Studio", "Tessera", "Quill")
PAUSE_S = (0.4, 2.2)
_dice = random.SystemRandom()


class Mailbox:
    """An SMTP server's handler that takes mail slowly, and refuses some addresses in its own words."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Refuse two kinds of address: one for good, one for now."""
        if address.startswith("former."):
            return f"550 5.1.1 <{address}>: no such mailbox here"
        if address.startswith("full.") and _dice.random() < 0.7:
            return "452 4.2.2 mailbox full, try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Take the message and forget it."""
        await asyncio.sleep(_dice.uniform(0.2, 2.5))
        return "250 2.0.0 accepted"


async def receive(request: web.Request) -> web.Response:
    """A third party's webhook address: mostly well, at times overloaded, broken, or gone."""
    await asyncio.sleep(_dice.uniform(0.1, 1.5))
    if request.path == "/retired":
        return web.Response(status=410, text="this integration was removed on 2026-10-01")
    roll = _dice.random()
    if roll < 0.12:
        return web.Response(status=503, text="upstream timed out", headers={"Retry-After": "3"})
    if roll < 0.18:
        return web.Response(status=500, text="<h1>Internal Server Error</h1>")
    return web.json_response({"received": True})


def next_job(receiver: str) -> NewJob:
    """One more job, as an application would enqueue it."""
    person, product = _dice.choice(PEOPLE), _dice.choice(PRODUCTS)
    key = "-".join(secrets.token_hex(2).upper() for _ in range(4))
    box = _dice.choices(["", "former.", "full."], [20, 2, 1])[0]
    to = f"{box}{person}@example.org"
    choices = [
        NewJob(send_email.name, "arq:queue:high", (), {"to": f"{person}@example.org", "template": "two_factor",
                                                       "code": f"{_dice.randrange(10**6):06}"}),
        NewJob(send_email.name, send_email.queue, (), {"to": to, "template": "licence_key", "product": product,
                                                       "licence_key": key}),
        NewJob(send_email.name, send_email.queue, (), {"to": to, "template": "alert", "severity": "warning",
                                                       "title": f"{product}: 80% of seats used",
                                                       "text": "Eight of ten seats are taken."}),
        NewJob(deliver_webhook.name, deliver_webhook.queue, (), {
            "url": f"{receiver}/{'retired' if _dice.random() < 0.06 else 'orders'}", "event": "licence.issued",
            "payload": {"customer": person, "product": product}}),
    ]  # fmt: skip
    job = _dice.choices(choices, [3, 3, 1, 5])[0]
    late = _dice.random() < 0.1
    return NewJob(job.task, job.queue, job.args, job.kwargs, delay_ms=_dice.randrange(5, 40) * 1000 if late else 0)


async def trickle(journal: Journal, receiver: str) -> None:
    """Enqueue a job every second or so, until cancelled."""
    while True:
        try:
            await journal.enqueue([next_job(receiver)])
        except RedisError as error:
            logger.warning("no job this time: %s", error)
        await asyncio.sleep(_dice.uniform(*PAUSE_S))


async def run_demo(settings: Settings) -> None:
    """Run sink, receiver and trickle until SIGTERM. Raises SettingsError when the mail sink's package is missing."""
    try:
        from aiosmtpd.controller import Controller
    except ImportError:
        raise SettingsError("the demo needs a mail sink: install arqlight[demo]") from None
    port = int(os.environ["ARQLIGHT_DEMO_WEBHOOK_PORT"])
    sink = Controller(Mailbox(), hostname=settings.smtp_host, port=settings.smtp_port)
    sink.start()
    app = web.Application()
    app.router.add_post("/{tail:.*}", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    redis = Redis.from_url(settings.resolved_redis_url())
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    work = asyncio.create_task(trickle(Journal(redis, settings), f"http://127.0.0.1:{port}"))
    await stopping.wait()
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work
    await redis.aclose()
    await runner.cleanup()
    sink.stop()


def main() -> None:
    """The demo's process."""
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    asyncio.run(run_demo(load_settings()))
