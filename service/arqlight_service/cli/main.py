"""`arqlight …`: the commands. Each setting is an environment variable and a flag; `--help` names both.

A command's module is imported when the command is asked for: `arqlight --version` needs none of them.
"""

import sys
from importlib import import_module
from importlib.metadata import version

import click

# Of each command: its module in this package, and what `--help` says of it.
COMMANDS = {
    "up": ("cli.up", "Run an embedded Valkey, the service and a worker, until Ctrl-C."),
    "server": ("cli.server", "The service: page, API and feed."),
    "worker": ("cli.worker", "Run jobs: the bundled tasks, or those of an arq application."),
    "enqueue": ("cli.enqueue", "Enqueue a job."),
    "alive": ("cli.alive", "Whether a worker of this host holds its lease: a probe for containers."),
    "doctor": ("cli.doctor", "Report problems, one per line."),
    "user": ("cli.users", "Users who sign in with a password (ARQLIGHT_AUTH=users)."),
    "token": ("cli.users", "API tokens for programs, where ARQLIGHT_AUTH is not `none`."),
    "audit": ("cli.audit", "Who did what: export the audit list."),
    "licence": ("families.bulk.commands", "Licence keys: verify one offline, show the public key."),
    "demo": ("cli.demo", ""),
}
HIDDEN = ("demo",)

# What click raises for a group without a command, with the help as its text. Before 8.2 it shows the help itself.
NO_ARGUMENTS = getattr(click.exceptions, "NoArgsIsHelpError", ())


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands that are shown."""
        return [name for name in COMMANDS if name not in HIDDEN]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """One of them; None for what is none."""
        if name not in COMMANDS:
            return None
        module = COMMANDS[name][0]
        try:
            command: click.Command = getattr(import_module(f"arqlight_service.{module}"), name)
        except ModuleNotFoundError as error:
            from arqlight.extras import MissingExtra, extra_of

            if (extra := extra_of(error)) is None:
                raise
            raise MissingExtra(f"`arqlight {name}`", "families" if module.startswith("families") else extra) from error
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What `--help` says of each, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(version("arqlight"), "-V", "--version", prog_name="arqlight")
def cli() -> None:
    """Live background jobs for arq: worker, feed and page."""


def main() -> None:
    """The entry point: an error of ours is one line, exit code 2 for bad input and 1 for what is out of reach."""
    try:
        sys.exit(cli(standalone_mode=False))
    except NO_ARGUMENTS as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        click.echo(f"arqlight: {' '.join(error.format_message().split())}", err=True)
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("\narqlight: stopped", err=True)
        sys.exit(1)
    except Exception as error:
        from arqlight_service.cli.exits import exit_of

        told = exit_of(error)
        if told is None:
            raise
        click.echo(f"arqlight: {told.text}", err=True)
        sys.exit(told.code)


if __name__ == "__main__":
    main()
