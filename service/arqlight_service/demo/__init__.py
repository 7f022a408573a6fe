"""`arqlight up --demo`: a licence platform with its customers, on this machine: real jobs of all five task families."""

import asyncio
import logging
import os
import signal

from aiohttp import web

from arqlight.background import end
from arqlight.connections.named import open_connection
from arqlight.extras import needed_for
from arqlight.families.email.settings import EmailSettings
from arqlight.settings import Settings, load_settings
from arqlight_service.demo.parties import Mailbox, application
from arqlight_service.demo.traffic import Traffic

SECRET = "whsec_" + "ZGVtby1vbmx5LWRlbW8tb25seS1kZW1v"


async def run_demo(settings: Settings) -> None:
    """Run sink, receiver and trickle until SIGTERM. Raises SettingsError when the mail sink's package is missing."""
    with needed_for("the demo's mail sink"):
        from aiosmtpd.controller import Controller
    port, smtp = int(os.environ["ARQLIGHT_DEMO_PORT"]), settings.of(EmailSettings)
    sink = Controller(Mailbox(), hostname=smtp.smtp_host, port=smtp.smtp_port)
    sink.start()
    runner = web.AppRunner(application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    connection = open_connection("default", settings.resolved_redis_url(), settings)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    work = asyncio.create_task(Traffic(connection.journal, settings, f"http://127.0.0.1:{port}").flow())
    await stopping.wait()
    await end(work)
    await connection.close()
    await runner.cleanup()
    sink.stop()


def main() -> None:
    """The demo's process."""
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    asyncio.run(run_demo(load_settings()))
