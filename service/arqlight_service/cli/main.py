"""`arqlight …`: the commands. Each setting is an environment variable and a flag; `--help` names both."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO

import click
from arq.utils import import_string
from pydantic import ValidationError
from pydantic_core import PydanticUndefined
from redis.exceptions import RedisError

from arqlight.connections.connection_errors import SERVER_ERRORS, reason_of
from arqlight.errors import ArqlightError, ServerUnreachable, SettingsError, Unusable
from arqlight.journal.tracing import switch_on
from arqlight.runtime.log_output import log_to_stderr
from arqlight.settings import Settings, load_settings, split_names
from arqlight.version import __version__
from arqlight.worker.worker_settings import create_worker
from arqlight_service.api.problems import Problem
from arqlight_service.auth.middleware import refuse_open_service
from arqlight_service.cli.doctor import doctor
from arqlight_service.cli.flags import to_environment
from arqlight_service.cli.users import token, user

if TYPE_CHECKING:
    from arqlight_service.api.requests import JobRequest

BUNDLED = "arqlight.families.WorkerSettings"
_EXIT_USAGE, _EXIT_FAILED = 2, 1


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """A flag for every setting. What is given is put into the environment, so that child processes see it too."""
    own = {option.name for option in getattr(command, "__click_params__", ())}
    for name, field in reversed(list(Settings.model_fields.items())):
        if name in own:
            continue
        default = "" if field.default in (None, PydanticUndefined) else f" Default: {field.default}."
        command = click.option(
            f"--{name.replace('_', '-')}",
            name,
            expose_value=False,
            callback=to_environment,
            help=f"{field.description}{default} [env: ARQLIGHT_{name.upper()}]",
        )(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, "-V", "--version", prog_name="arqlight")
def cli() -> None:
    """Live background jobs for arq: worker, feed and page."""


@cli.command()
@click.argument("worker_settings", required=False)
@click.option("--demo", is_flag=True, help="Add a mail sink, a webhook receiver that fails now and then, and jobs.")
@settings_options
def up(worker_settings: str | None, demo: bool) -> None:
    """All of it: an embedded Valkey, the service and a worker, until Ctrl-C."""
    from arqlight_service.cli.up import run_up

    settings = load_settings()
    refuse_open_service(settings)
    sys.exit(asyncio.run(run_up(settings, worker_settings, demo=demo)))


@cli.command()
@click.option("--exit-with-parent", is_flag=True, hidden=True)
@settings_options
def server(exit_with_parent: bool) -> None:
    """The service: page, API and feed."""
    from arqlight_service.app import create_app
    from arqlight_service.cli.parent_watch import watch_parent
    from arqlight_service.serve import serve

    settings = load_settings()
    refuse_open_service(settings)
    if exit_with_parent:
        watch_parent()
    log_to_stderr(settings)
    switch_on(settings, "arqlight-service")
    asyncio.run(serve(create_app(settings), settings, announce=click.echo))


@cli.command()
@click.argument("worker_settings", default=BUNDLED)
@settings_options
@click.option(
    "--queues",
    help="Lanes to take from, first ones first: high,default; or weights: high=6,default=3. Default: the class's.",
)
@click.option("--burst", is_flag=True, help="Exit when the queues are empty.")
@click.option("--processes", type=click.IntRange(1, 256), default=1, help="Worker processes; a dead one is replaced.")
@click.option("--exit-with-parent", is_flag=True, hidden=True)
def worker(worker_settings: str, queues: str | None, burst: bool, processes: int, exit_with_parent: bool) -> None:
    """Run jobs: the bundled tasks, or those of an arq application's `module.WorkerSettings`, unchanged."""
    from arqlight_service.cli.parent_watch import watch_parent

    if processes > 1:
        from arqlight.worker.supervisor import Supervisor

        if exit_with_parent:
            watch_parent()
        log_to_stderr(load_settings())
        given = [*(["--queues", queues] if queues else []), *(["--burst"] if burst else [])]
        sys.exit(asyncio.run(Supervisor(["worker", worker_settings, *given], processes).run()))
    sys.path.append(os.getcwd())  # as the arq command does
    settings = load_settings()
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


@cli.command(hidden=True)
@click.option("--exit-with-parent", is_flag=True, hidden=True)
def demo(exit_with_parent: bool) -> None:
    """The demo's own process, started by `arqlight up --demo`."""
    from arqlight_service.cli.parent_watch import watch_parent
    from arqlight_service.demo import main as run

    if exit_with_parent:
        watch_parent()
    run()


@cli.command()
@click.option("--redis-url", callback=to_environment, expose_value=False, help="[env: ARQLIGHT_REDIS_URL]")
def alive() -> None:
    """Whether a worker of this host holds its lease: exit code 0 or 1. A probe for containers."""
    if not asyncio.run(_alive(socket.gethostname())):
        raise ServerUnreachable(f"no worker on {socket.gethostname()} holds a lease; is one running here?")


async def _alive(host: str) -> bool:
    from arqlight.connections.named import open_connection

    settings = load_settings()
    connection = open_connection("default", settings.resolved_redis_url(), settings)
    try:
        return any(worker["host"] == host for worker in await connection.reader.workers())
    except SERVER_ERRORS:
        return True  # the server is away, which restarting this worker would not mend
    finally:
        await connection.close()


@cli.command()
@click.argument("task")
@click.argument("arguments", nargs=-1)
@click.option("--queue", help="Lane. Default: the task's own.")
@click.option("--delay-s", type=click.FloatRange(min=0), default=0.0, help="Seconds until it may run.")
@click.option("--id", "job_id", help="The job's id; one that is taken is refused.")
@click.option("--connection", help="Where to, by name. Default: as ARQLIGHT_ROUTES says, else the first one.")
@click.option("--redis-url", callback=to_environment, expose_value=False, help="[env: ARQLIGHT_REDIS_URL]")
@click.option("--data-dir", callback=to_environment, expose_value=False, help="[env: ARQLIGHT_DATA_DIR]")
def enqueue(
    task: str, arguments: tuple[str, ...], queue: str | None, delay_s: float, job_id: str | None, connection: str | None
) -> None:
    """Enqueue a job: `arqlight enqueue send_email to=ada@example.org template=two_factor code=123456`.

    An argument with "=" is passed by name. Values are read as JSON where they are JSON, else as text.
    """
    from arqlight_service.api.requests import JobRequest

    args, kwargs = read_arguments(arguments)
    try:
        asked = JobRequest(task=task, args=args, kwargs=kwargs, queue=queue, delay_s=delay_s, id=job_id)
    except ValidationError as error:
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
        return json.loads(text)
    except ValueError:
        return text


async def _enqueue(asked: "JobRequest", connection: str | None) -> str:
    from arqlight.connections.named import open_connections
    from arqlight_service.api.requests import lane_of, resolve_jobs

    settings = load_settings()
    connections = open_connections(settings)
    route = settings.route(asked.task, asked.queue or lane_of(asked.task))
    chosen = connections.find(connection or route)
    try:
        return (await chosen.journal.enqueue(await resolve_jobs(chosen.reader, [asked])))[0]
    except Problem as error:
        raise click.UsageError(str(error)) from error
    except RedisError as error:
        raise ServerUnreachable(
            f"no Redis or Valkey answers at {chosen.address}: {error}; "
            "start one with `arqlight up`, or set ARQLIGHT_REDIS_URL"
        ) from error
    finally:
        await connections.close()


@cli.group()
def licence() -> None:
    """Licence keys: verify one offline, show the public key."""


@licence.command()
@click.argument("key")
@click.option("--public-key", "public_key", type=click.File("rb"), required=True, help="The public key, as PEM.")
@click.option("--product", help="The product it has to be for.")
def verify(key: str, public_key: BinaryIO, product: str | None) -> None:
    """Whether KEY was made with the private half of a public key. Needs no server. Exit code 0 or 1."""
    from arqlight.families.bulk.licence_key import InvalidLicence, read_public_key, verify_key

    try:
        found = verify_key(key, read_public_key(public_key.read()))
        if product is not None and not found.is_for(product):
            raise InvalidLicence(f"it is for another product than {product!r}")
    except InvalidLicence as error:
        click.echo(f"arqlight: not valid: {error}", err=True)
        sys.exit(_EXIT_FAILED)
    click.echo(f"valid: batch {found.batch}, number {found.number}" + (f", for {product}" if product else ""))


@licence.command("public-key")
@click.option("--data-dir", callback=to_environment, expose_value=False, help="[env: ARQLIGHT_DATA_DIR]")
@click.option(
    "--licence-key-file", callback=to_environment, expose_value=False, help="[env: ARQLIGHT_LICENCE_KEY_FILE]"
)
def public_key() -> None:
    """The public key that verifies what this installation makes, as PEM."""
    from arqlight.families.bulk.licence_key import public_pem, signing_key
    from arqlight.key_ring import KeyRing

    settings = load_settings()
    click.echo(public_pem(signing_key(settings, KeyRing(settings))), nl=False)


cli.add_command(user)
cli.add_command(token)
cli.add_command(doctor)


def main() -> None:
    """The entry point: an error of ours is one line, exit code 2 for bad input and 1 for what is out of reach."""
    try:
        cli()
    except SettingsError as error:
        click.echo(f"arqlight: {error}", err=True)
        sys.exit(_EXIT_USAGE)
    except (ServerUnreachable, Unusable) as error:
        click.echo(f"arqlight: {error}", err=True)
        sys.exit(_EXIT_FAILED)
    except ArqlightError as error:
        click.echo(f"arqlight: {error}", err=True)
        sys.exit(_EXIT_USAGE)
    except RedisError as error:
        click.echo(f"arqlight: the Redis or Valkey server refused: {reason_of(error)}", err=True)
        sys.exit(_EXIT_FAILED)
