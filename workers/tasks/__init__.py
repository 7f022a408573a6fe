"""The tasks that come with arqlight, and the worker settings that run them: `arqlight worker` without a name."""

from typing import Any, ClassVar

import aiohttp

from workers.settings import load_settings
from workers.task import Task
from workers.tasks.email import send_email
from workers.tasks.webhooks import deliver_webhook

TASKS: list[Task] = [send_email, deliver_webhook]


async def open_clients(ctx: dict[Any, Any]) -> None:
    """What the tasks need while the worker lives: the settings, and one HTTP session for all deliveries."""
    ctx["settings"] = load_settings()
    ctx["http"] = aiohttp.ClientSession(headers={"User-Agent": "arqlight-webhooks/1"})


async def close_clients(ctx: dict[Any, Any]) -> None:
    """Close what `open_clients` opened."""
    await ctx["http"].close()


class WorkerSettings:
    """Read by arq's rules, so `arq workers.tasks.WorkerSettings` works as well (on one queue)."""

    functions = TASKS
    queues: ClassVar[list[str]] = load_settings().queue_names()
    max_jobs = load_settings().max_jobs
    allow_abort_jobs = True
    # A mail that is on its way is better finished than sent again by the next worker.
    job_completion_wait = 10
    on_startup = open_clients
    on_shutdown = close_clients
