"""`arqlight server`: the service."""

import asyncio

import click

from arqlight.journal.tracing import switch_on
from arqlight.runtime.log_output import log_to_stderr
from arqlight.settings import load_settings
from arqlight_service.app import create_app
from arqlight_service.auth.middleware import refuse_open_service
from arqlight_service.cli.parent_watch import watch_parent
from arqlight_service.cli.port import check_port
from arqlight_service.cli.settings_options import settings_options
from arqlight_service.cli.start import check_start
from arqlight_service.cli.unused_settings import warn_of_unused_settings
from arqlight_service.serve import serve


@click.command()
@click.option("--exit-with-parent", is_flag=True, hidden=True)
@settings_options
def server(exit_with_parent: bool) -> None:
    """The service: page, API and feed."""
    settings = load_settings()
    refuse_open_service(settings)
    check_start(settings)
    check_port(settings.host, settings.port)
    app = create_app(settings)
    if exit_with_parent:
        watch_parent()
    log_to_stderr(settings, limits_repeats=True)
    warn_of_unused_settings(settings)
    switch_on(settings, "arqlight-service")
    asyncio.run(serve(app, settings, announce=click.echo))
