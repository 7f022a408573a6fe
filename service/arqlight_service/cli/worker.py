"""`arqlight worker`: runs jobs."""

import asyncio
import logging.config
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from arq.typing import StartupShutdown

from arqlight.errors import ArqlightError, SettingsError
from arqlight.extras import require
from arqlight.imports import import_named, told
from arqlight.journal.tracing import switch_on
from arqlight.runtime.log_output import log_for_an_application, log_to_stderr
from arqlight.settings import Settings, load_settings, split_names
from arqlight.worker.application import check_application, load_application
from arqlight.worker.health_check import check_health
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
@click.option("--burst/--no-burst", default=None, help="Exit when the queues are empty. Default: the class's.")
@click.option("--check", is_flag=True, help="Exit with 0 when a worker of this queue lives, else with 1.")
@click.option(
    "--watch", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Start the worker again when a file in this folder changes; needs arqlight[watch].",
)  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Log everything (--log-level DEBUG).")
@click.option("--custom-log-dict", help="Import path of a dict for logging.config.dictConfig: myapp.LOGGING.")
@click.option("--processes", type=click.IntRange(1, 256), default=1, help="Worker processes; a dead one is replaced.")
@click.option("--exit-with-parent", is_flag=True, hidden=True)
@click.option("--only-check", is_flag=True, hidden=True, help="Look at the settings, and run nothing.")
def worker(
    worker_settings: str, queues: str | None, burst: bool | None, check: bool, watch: Path | None, verbose: bool,
    custom_log_dict: str | None, processes: int, exit_with_parent: bool, only_check: bool,
) -> None:  # fmt: skip
    """Run jobs: the bundled tasks, or those of an arq application's `module.WorkerSettings`, unchanged."""
    if verbose:
        os.environ["ARQLIGHT_LOG_LEVEL"] = "DEBUG"
    if processes > 1 or watch is not None:
        if watch is not None and processes > 1:
            raise click.UsageError("--watch and --processes exclude each other")
        if exit_with_parent:
            watch_parent()
        log_to_stderr(load_settings())
        command = [sys.executable, "-m", "arqlight_service", "worker", worker_settings]
        command += [*(["--queues", queues] if queues else []), *_burst_flag(burst)]
        command += ["--custom-log-dict", custom_log_dict] if custom_log_dict else []
        sys.exit(asyncio.run(_run_children(command, processes, watch)))
    sys.path.append(os.getcwd())  # as the arq command does
    settings = load_settings()
    check_start(settings, with_families=worker_settings == BUNDLED)
    settings_class = load_application(worker_settings)
    if only_check:
        check_application(settings_class if isinstance(settings_class, dict) else vars(settings_class))
        return
    if exit_with_parent:
        watch_parent()
    started = _log(settings, worker_settings, custom_log_dict)
    if check:
        sys.exit(asyncio.run(check_health(settings_class, settings)))
    warn_of_unused_settings(settings)
    asyncio.set_event_loop(asyncio.new_event_loop())
    switch_on(settings, "arqlight-worker")
    overrides = {} if burst is None else {"burst": burst}
    runs = create_worker(settings_class, settings, queues=split_names(queues or ""), **overrides)
    runs.on_startup = _told_when_it_fails(runs.on_startup, started)
    runs.run()


async def _run_children(command: list[str], processes: int, watch: Path | None) -> int:
    if watch is None:
        from arqlight.worker.supervisor import Supervisor

        return await Supervisor(command, processes).run()
    require("--watch", "watchfiles")
    from arqlight.worker.watcher import run_watched

    return await run_watched(command, watch)


def _burst_flag(burst: bool | None) -> list[str]:
    return [] if burst is None else ["--burst" if burst else "--no-burst"]


def _log(settings: Settings, worker_settings: str, custom: str | None) -> Callable[[], None]:
    """Log as the settings, the application or its dictionary say; what to call when the worker has started."""
    if custom is None and worker_settings == BUNDLED:
        log_to_stderr(settings)
        return lambda: None
    if custom is not None:
        config = import_named("--custom-log-dict", custom)
        if not isinstance(config, dict):
            raise SettingsError(f"--custom-log-dict {custom!r} is a {type(config).__name__}; name a dict")
        try:
            logging.config.dictConfig(config)
        except (ValueError, TypeError, AttributeError, ImportError) as error:
            raise SettingsError(f"--custom-log-dict {custom!r} cannot be used: {told(error)}") from error
    return log_for_an_application(settings)


def _told_when_it_fails(hook: StartupShutdown | None, started: Callable[[], None]) -> StartupShutdown:
    """Before the stack trace of somebody else's hook, one line that says what it means."""

    async def on_startup(ctx: dict[Any, Any]) -> None:
        try:
            if hook is not None:
                await hook(ctx)
            started()
        except ArqlightError:
            raise  # a sentence already
        except Exception as error:
            where = "".join(f", {note}" for note in getattr(error, "__notes__", ()))
            click.echo(f"arqlight: on_startup failed, so the worker does not start: {told(error)}{where}", err=True)
            raise

    return on_startup
