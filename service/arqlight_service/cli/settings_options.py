"""A flag for every setting, of the core and of the task families that are installed."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click

from arqlight.checked_fields import Secret
from arqlight.family import declared
from arqlight.settings import FamilySettings, Settings
from arqlight_service.cli.flags import to_environment


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """A flag for every setting. What is given is put into the environment, so that child processes see it too."""
    own = {option.name for option in getattr(command, "__click_params__", ())}
    kinds: list[type[Settings] | type[FamilySettings]] = [
        Settings,
        *(family.settings for family in declared() if family.settings is not None),
    ]
    options = [each for kind in kinds for each in fields(kind) if each.name not in own and "about" in each.metadata]
    for each in reversed(options):
        name = each.name
        default = "" if each.default in (None, "", Secret("")) else f" Default: {each.default}."
        command = click.option(
            f"--{name.replace('_', '-')}",
            name,
            expose_value=False,
            callback=to_environment,
            help=f"{each.metadata['about']}{default} [env: ARQLIGHT_{name.upper()}]",
        )(command)
    return command
