"""`arqlight worker`: runs jobs."""

import asyncio
import os
import sys
from typing import Any

import click
from arq.typing import StartupShutdown

from arqlight.errors import ArqlightError
from arqlight.imports import told
from arqlight.journal.tracing import switch_on
from arqlight.runtime.log_output import log_to_stderr
from arqlight.settings import load_settings, split_names
from arqlight.worker.application import check_application, load_application
from arqlight.worker.worker_settings import create_worker
from arqlight_service.cli.parent_watch import watch_parent
from arqlight_service.cli.settings_options import settings_options
from arqlight_service.cli.start import check_start
from arqlight_service.cli.unused_settings import warn_of_unused_settings

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
@click.option("--only-check", is_flag=True, hidden=True, help="Look at the settings, and run nothing.")
def worker(
    worker_settings: str, queues: str | None, burst: bool, processes: int, exit_with_parent: bool, only_check: bool
) -> None:
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
    settings_class = load_application(worker_settings)
    if only_check:
        check_application(settings_class if isinstance(settings_class, dict) else vars(settings_class))
        return
    if exit_with_parent:
        watch_parent()
    log_to_stderr(settings)
    warn_of_unused_settings(settings)
    asyncio.set_event_loop(asyncio.new_event_loop())
    switch_on(settings, "arqlight-worker")
    overrides = {"burst": True} if burst else {}
    runs = create_worker(settings_class, settings, queues=split_names(queues or ""), **overrides)
    if runs.on_startup:
        runs.on_startup = _told_when_it_fails(runs.on_startup)
    runs.run()


def _told_when_it_fails(hook: StartupShutdown) -> StartupShutdown:
    """Before the stack trace of somebody else's hook, one line that says what it means."""

    async def on_startup(ctx: dict[Any, Any]) -> None:
        try:
            await hook(ctx)
        except ArqlightError:
            raise  # a sentence already
        except Exception as error:
            where = "".join(f", {note}" for note in getattr(error, "__notes__", ()))
            click.echo(f"arqlight: on_startup failed, so the worker does not start: {told(error)}{where}", err=True)
            raise

    return on_startup
