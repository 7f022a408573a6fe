"""`arqlight worker`: runs jobs."""

import asyncio
import os
import sys

import click
from arq.utils import import_string

from arqlight.journal.tracing import switch_on
from arqlight.runtime.log_output import log_to_stderr
from arqlight.settings import load_settings, split_names
from arqlight.worker.worker_settings import create_worker
from arqlight_service.cli.parent_watch import watch_parent
from arqlight_service.cli.settings_options import settings_options
from arqlight_service.cli.start import check_start

BUNDLED = "arqlight.bundled_worker.WorkerSettings"


@click.command()
@click.argument("worker_settings", default=BUNDLED)
@settings_options
@click.option(
    "--queues",
    help="Queues to take from, first ones first: high,default; or weights: high=6,default=3. Default: the class's.",
)
@click.option("--burst", is_flag=True, help="Exit when the queues are empty.")
@click.option("--processes", type=click.IntRange(1, 256), default=1, help="Worker processes; a dead one is replaced.")
@click.option("--exit-with-parent", is_flag=True, hidden=True)
def worker(worker_settings: str, queues: str | None, burst: bool, processes: int, exit_with_parent: bool) -> None:
    """Run jobs: the bundled tasks, or those of an arq application's `module.WorkerSettings`, unchanged."""
    if processes > 1:
        from arqlight.worker.supervisor import Supervisor

        if exit_with_parent:
            watch_parent()
        log_to_stderr(load_settings())
        command = [sys.executable, "-m", "arqlight_service", "worker", worker_settings]
        command += [*(["--queues", queues] if queues else []), *(["--burst"] if burst else [])]
        sys.exit(asyncio.run(Supervisor(command, processes).run()))
    sys.path.append(os.getcwd())  # as the arq command does
    settings = load_settings()
    check_start(settings, with_families=worker_settings == BUNDLED)
    try:
        settings_class = import_string(worker_settings)
    except (ImportError, AttributeError) as error:
        raise click.UsageError(f"worker settings {worker_settings!r} cannot be imported: {error}") from error
    if exit_with_parent:
        watch_parent()
    log_to_stderr(settings)
    asyncio.set_event_loop(asyncio.new_event_loop())
    switch_on(settings, "arqlight-worker")
    overrides = {"burst": True} if burst else {}
    create_worker(settings_class, settings, queues=split_names(queues or ""), **overrides).run()
