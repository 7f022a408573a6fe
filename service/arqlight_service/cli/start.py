"""What is looked at before anything starts, so that a start is whole, or one sentence."""

from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import click

from arqlight.connections.named import open_databases
from arqlight.extras import require
from arqlight.family import check_families, check_settings
from arqlight.journal.tracing import check_packages
from arqlight.private_files import close_all, is_locked
from arqlight.settings import IN_DATA_DIR, LOCK_FILE, Settings


def check_start(settings: Settings, *, with_families: bool = True) -> None:
    """Raise SettingsError, MissingExtra for what cannot work. Servers that are away may come later.

    :param with_families: whether the process runs or serves task families; an application's own worker does not.
    """
    _close_what_is_open(settings.data_dir)
    check_settings(settings)
    check_packages(settings)
    if settings.database_url:
        require("ARQLIGHT_DATABASE_URL", "sqlalchemy")
    if with_families:
        check_families(settings)
    checks = [connection.pool.check_schema for connection in open_databases(settings)]
    if with_families and find_spec("sqlalchemy") and settings.resolved_database_url():
        from arqlight.families.database import check_database  # not loaded where there is no database

        checks.append(lambda: check_database(settings))
    if checks:
        with ThreadPoolExecutor(len(checks)) as pool:
            for check in [pool.submit(check) for check in checks]:
                check.result()


def _close_what_is_open(data_dir: Path) -> None:
    """Earlier versions left the data readable to all users, as the umask had it."""
    if is_locked(data_dir / LOCK_FILE):
        return  # a running `up` has done so; one of an earlier version has a PostgreSQL that needs them open
    closed = close_all(data_dir, IN_DATA_DIR)
    if closed:
        what = "file or directory" if closed == 1 else "files and directories"
        click.echo(f"arqlight: closed {closed} {what} in {str(data_dir)!r} to other users of this machine", err=True)
