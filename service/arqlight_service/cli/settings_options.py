"""A flag for every setting, of the core and of the task families that are installed."""

from collections.abc import Callable
from typing import Any

import click
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from arqlight.family import declared
from arqlight.settings import Settings
from arqlight_service.cli.flags import to_environment


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """A flag for every setting. What is given is put into the environment, so that child processes see it too."""
    own = {option.name for option in getattr(command, "__click_params__", ())}
    kinds: list[type[BaseModel]] = [
        Settings,
        *(family.settings for family in declared() if family.settings is not None),
    ]
    fields = [(name, field) for kind in kinds for name, field in kind.model_fields.items() if name not in own]
    for name, field in reversed(fields):
        default = "" if field.default in (None, PydanticUndefined) else f" Default: {field.default}."
        command = click.option(
            f"--{name.replace('_', '-')}",
            name,
            expose_value=False,
            callback=to_environment,
            help=f"{field.description}{default} [env: ARQLIGHT_{name.upper()}]",
        )(command)
    return command
