"""A setting given as a flag is put into the environment, so that child processes see it too."""

import os

import click


def to_environment(_: click.Context, option: click.Parameter, value: str | None) -> None:
    """A click callback for the flag of a setting."""
    if value is not None:
        os.environ[f"ARQLIGHT_{str(option.name).upper()}"] = value
