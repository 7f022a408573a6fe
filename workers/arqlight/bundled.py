"""What the bundled worker runs: the tasks of every task family that is installed, and one that tidies up."""

import contextlib
from typing import Any

from arqlight.extras import MissingExtra, needed_for
from arqlight.family import Family, installed
from arqlight.jobs.periodic_job import PeriodicJob
from arqlight.key_ring import KeyRing
from arqlight.runtime.job_log import job_log
from arqlight.settings import Settings, load_settings
from arqlight.tasks import Task, task


@task(queue="sync", tries=3, timeout_s=600)
async def tidy_up(ctx: dict[str, Any]) -> dict[str, int]:
    """Remove what has expired. Returns how much went, by kind."""
    removed: dict[str, int] = {}
    for family in installed().families:
        removed |= await family.tidy_up(ctx)
    return removed


def bundled_tasks() -> dict[str, Task]:
    """What the bundled worker runs, by name; nothing where no family is installed."""
    tasks = installed().tasks
    return {**tasks, tidy_up.name: tidy_up} if tasks else {}


def bundled_schedules(settings: Settings) -> list[PeriodicJob]:
    """The periodic jobs of all families, and the one that tidies up."""
    found = [each for family in installed().families for each in family.load_schedules(settings)]
    has_database = settings.resolved_database_url() is not None
    return [*found, PeriodicJob("tidy-up", "5 3 * * *", tidy_up.name, tidy_up.queue, {}, 600, has_database)]


def no_progress(done: float, total: float, what: str = "") -> None:
    """In the place of `ctx["progress"]` under a plain arq worker, where nobody could look at it."""


async def open_clients(ctx: dict[Any, Any]) -> None:
    """Put what tasks of families need into `ctx`, where it is not yet: settings, database, keys, each family's clients.

    Nothing connects here: each does at its first use, so a server that comes later is no trouble. Without the extra
    `postgres` there is no `ctx["database"]`; families that keep data there bring it.
    """
    settings: Settings = ctx.setdefault("settings", load_settings())
    ctx.setdefault("progress", no_progress)
    ctx.setdefault("log", job_log())
    with contextlib.suppress(MissingExtra), needed_for("the database of task families"):
        from arqlight.families.database import Database

        ctx.setdefault("database", Database(settings))
    ctx.setdefault("keys", KeyRing(settings))
    started: list[Family] = ctx.setdefault("started_families", [])
    for family in installed().families:
        try:
            await family.start(ctx)
        except Exception as error:
            error.add_note(f"in on_startup of family {family.name!r}")
            raise
        started.append(family)


async def close_clients(ctx: dict[Any, Any]) -> None:
    """Close what `open_clients` opened, as far as it came: after a start that failed, the error is that start's."""
    for family in reversed(ctx.pop("started_families", [])):
        await family.stop(ctx)
    if (database := ctx.get("database")) is not None:
        await database.close()
