"""`arqlight enqueue`: a job, from the command line."""

import asyncio
import json
import math
from typing import Any

import click

from arqlight.connections.named import open_connections
from arqlight.settings import load_settings
from arqlight_service.api.job_requests import JobRequest, lane_of, resolve_jobs
from arqlight_service.api.problems import Problem
from arqlight_service.api.requests import validate
from arqlight_service.cli.answers import from_server_of
from arqlight_service.cli.flags import to_environment


@click.command()
@click.argument("task")
@click.argument("arguments", nargs=-1)
@click.option("--queue", help="Name of the queue. Default: the task's own.")
@click.option("--delay-s", type=float, default=0.0, help="Seconds until it may run.")
@click.option("--id", "job_id", help="The job's id; one that is taken is refused.")
@click.option("--connection", help="Where to, by name. Default: as ARQLIGHT_ROUTES says, else the first one.")
@click.option("--redis-url", callback=to_environment, expose_value=False, help="[env: ARQLIGHT_REDIS_URL]")
@click.option("--data-dir", callback=to_environment, expose_value=False, help="[env: ARQLIGHT_DATA_DIR]")
def enqueue(
    task: str, arguments: tuple[str, ...], queue: str | None, delay_s: float, job_id: str | None, connection: str | None
) -> None:
    """Enqueue a job: `arqlight enqueue send_email to=ada@example.org template=two_factor code=123456`.

    An argument with "=" is passed by name. Values are read as JSON where they are JSON, else as text;
    a number that would be written otherwise again (123E45, 1.10) is text.
    """

    args, kwargs = read_arguments(arguments)
    job = {"task": task, "args": args, "kwargs": kwargs, "queue": queue, "delay_s": delay_s, "id": job_id}
    try:
        asked = validate(JobRequest, job)
    except Problem as error:
        raise click.UsageError(str(error)) from error
    click.echo(asyncio.run(_enqueue(asked, connection)))


def read_arguments(arguments: tuple[str, ...]) -> tuple[list[Any], dict[str, Any]]:
    """The command line's arguments as a job's."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if equals and name.isidentifier():
            kwargs[name] = _read_value(value)
        else:
            args.append(_read_value(argument))
    return args, kwargs


def _read_value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    # 123E45 is a code that somebody typed, and 1.10 a version: a number only where nothing of its spelling is lost.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return text if is_number and (not math.isfinite(value) or json.dumps(value) != text) else value


async def _enqueue(asked: JobRequest, connection: str | None) -> str:

    settings = load_settings()
    connections = open_connections(settings)
    route = settings.route(asked.task, asked.queue or lane_of(asked.task))
    chosen = connections.find(connection or route)
    try:
        with from_server_of(chosen):
            return (await chosen.journal.enqueue(await resolve_jobs(chosen.reader, [asked])))[0]
    except Problem as error:
        raise click.UsageError(str(error)) from error
    finally:
        await connections.close()
