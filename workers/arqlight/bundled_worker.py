"""The bundled worker's settings: `arqlight worker` without a name, or `arq arqlight.bundled_worker.WorkerSettings`."""

from typing import ClassVar

from arqlight.bundled import bundled_schedules, bundled_tasks, close_clients, open_clients
from arqlight.extras import MissingExtra
from arqlight.family import check_families
from arqlight.jobs.periodic_job import PeriodicJob
from arqlight.jobs.serialization import read_plain
from arqlight.settings import load_settings
from arqlight.tasks import Task

if not bundled_tasks():
    raise MissingExtra(
        "the bundled worker runs the task families, and none is installed; name your own worker settings "
        "(arqlight worker myapp.WorkerSettings), or install ours, which",
        "families",
    )
check_families(load_settings())


class WorkerSettings:
    """Read by arq's rules; plain arq takes from one queue only."""

    functions: ClassVar[list[Task]] = list(bundled_tasks().values())
    queues: ClassVar[list[str]] = load_settings().queue_names()
    max_jobs = load_settings().max_jobs
    schedules: ClassVar[list[PeriodicJob]] = bundled_schedules(load_settings())
    allow_abort_jobs = True
    keeps_to_own_tasks = True  # an application's own worker may take from the same queues
    job_deserializer = read_plain  # no job of these tasks can run code, whoever wrote it
    # A mail that is on its way is better finished than sent again by the next worker.
    job_completion_wait = 10
    on_startup = open_clients
    on_shutdown = close_clients
