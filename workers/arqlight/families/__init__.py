"""The tasks that come with arqlight, and the worker settings that run them: `arqlight worker` without a name."""

from typing import ClassVar

from arqlight.families.bulk.exports import export_table
from arqlight.families.bulk.licences import generate_licence_keys
from arqlight.families.clients import close_clients, open_clients
from arqlight.families.email.sending import send_email, send_two_factor_code
from arqlight.families.sync.syncing import sync_sales
from arqlight.families.telemetry.folding import fold_telemetry
from arqlight.families.tidy_up import tidy_up
from arqlight.families.webhooks.delivery import deliver_event, deliver_webhook, send_event
from arqlight.jobs.periodic_job import PeriodicJob
from arqlight.jobs.serialization import read_plain
from arqlight.settings import load_settings
from arqlight.task import Task

TASKS: list[Task] = [
    send_email,
    send_two_factor_code,
    deliver_webhook,
    send_event,
    deliver_event,
    fold_telemetry,
    generate_licence_keys,
    export_table,
    sync_sales,
    tidy_up,
]


def _schedules() -> list[PeriodicJob]:
    settings = load_settings()
    return [
        PeriodicJob("sync-envato", "17 * * * *", sync_sales.name, sync_sales.queue, {"marketplace": "envato"}, 300,
                    settings.envato_token is not None),
        PeriodicJob("sync-gumroad", "47 * * * *", sync_sales.name, sync_sales.queue, {"marketplace": "gumroad"}, 300,
                    settings.gumroad_token is not None),
        PeriodicJob("tidy-up", "5 3 * * *", tidy_up.name, tidy_up.queue, {}, 600,
                    settings.resolved_database_url() is not None),
    ]  # fmt: skip


class WorkerSettings:
    """Read by arq's rules, so `arq arqlight.families.WorkerSettings` works as well (on one queue)."""

    functions = TASKS
    queues: ClassVar[list[str]] = load_settings().queue_names()
    max_jobs = load_settings().max_jobs
    schedules: ClassVar[list[PeriodicJob]] = _schedules()
    allow_abort_jobs = True
    job_deserializer = read_plain  # no job of these tasks can run code, whoever wrote it
    # A mail that is on its way is better finished than sent again by the next worker.
    job_completion_wait = 10
    on_startup = open_clients
    on_shutdown = close_clients
