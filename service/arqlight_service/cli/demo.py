"""`arqlight demo`: the demo's own process."""

import click

from arqlight_service.cli.parent_watch import watch_parent
from arqlight_service.demo import main as run


@click.command(hidden=True)
@click.option("--exit-with-parent", is_flag=True, hidden=True)
def demo(exit_with_parent: bool) -> None:
    """The demo's own process, started by `arqlight up --demo`."""
    if exit_with_parent:
        watch_parent()
    run()
