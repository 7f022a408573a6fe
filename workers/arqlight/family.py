"""Task families: tasks that belong together, with their settings, tables and periodic jobs, as a plug-in.

A package offers one by an entry point of the group `arqlight.families` that names a `Family`; the bundled worker runs
the tasks of all that are installed. Its other half, routes and pages, is one of the group `arqlight_service.families`.
"""

import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from arqlight.errors import SettingsError
from arqlight.extras import MissingExtra, extra_of
from arqlight.family_checks import check_hook, check_schedules, check_settings_class, resolved, unusable
from arqlight.imports import told
from arqlight.jobs.periodic_job import PeriodicJob
from arqlight.settings import FamilySettings, Settings
from arqlight.tasks import Task

GROUP = "arqlight.families"
OURS = ("email", "telemetry", "webhooks", "bulk", "sync")  # they come first, in this order
TIDY_UP = "tidy_up"  # the bundled worker's own task, beside those of families
Context = dict[Any, Any]
Hook = Callable[[Context], Awaitable[None]]
Tidy = Callable[[Context], Awaitable[dict[str, int]]]


@dataclass(frozen=True, slots=True)
class Family:
    """The worker's half of a task family.

    Whatever is heavy to import may be given as text, `package.module:name`; it is imported when a worker or the
    service needs it.

    :param tasks: functions declared with `@task`.
    :param settings: what can be set for it, as environment variables and flags.
    :param schedules: its periodic jobs, from the settings.
    :param on_startup, on_shutdown: put clients into the worker's `ctx`, and close them.
    :param check: raises SettingsError for settings that it cannot work with, before anything is started.
    :param tidy: removes what has expired, once a day; returns how much went, by kind.
    :param exports: SQLAlchemy tables that may be exported, by the name people see.
    :param migrations, schema: a folder of Alembic migrations, and the PostgreSQL schema they are for.
    """

    name: str
    tasks: Sequence[Task | str] = ()
    settings: type[FamilySettings] | None = None
    schedules: Callable[[Settings], Sequence[PeriodicJob]] | str | None = None
    on_startup: Hook | str | None = None
    on_shutdown: Hook | str | None = None
    check: Callable[[Settings], None] | str | None = None
    tidy: Tidy | str | None = None
    exports: Mapping[str, Any] | str | None = None
    migrations: Path | None = None
    schema: str | None = None

    def load_tasks(self) -> list[Task]:
        """Its tasks. Raises SettingsError for one that cannot be imported, or was not declared with `@task`."""
        found = [resolved(self.name, "task", each) for each in self.tasks]
        for each, given in zip(found, self.tasks, strict=True):
            if not isinstance(each, Task):
                raise SettingsError(f"family {self.name!r}: {given!r} is no task; declare it with @task(...)")
        return found

    def load_exports(self) -> Mapping[str, Any]:
        """The tables it offers for export."""
        found: Mapping[str, Any] = resolved(self.name, "exports", self.exports) or {}
        return found

    def load_schedules(self, settings: Settings) -> Sequence[PeriodicJob]:
        """Its periodic jobs. Raises SettingsError for what its function raises."""
        schedules = resolved(self.name, "schedules", self.schedules)
        try:
            found: Sequence[PeriodicJob] = schedules(settings) if schedules else ()
        except Exception as error:
            raise unusable(self.name, "schedules", error) from error
        return found

    def check_settings(self, settings: Settings) -> None:
        """Raise SettingsError for settings that it cannot work with, and for hooks that are none."""
        for name in ("on_startup", "on_shutdown", "tidy"):
            check_hook(self.name, name, resolved(self.name, name, getattr(self, name)))
        try:
            if check := resolved(self.name, "check", self.check):
                check(settings)
        except Exception as error:
            raise unusable(self.name, "check", error) from error

    async def start(self, ctx: Context) -> None:
        """Run its start-up hook."""
        if hook := resolved(self.name, "on_startup", self.on_startup):
            await hook(ctx)

    async def stop(self, ctx: Context) -> None:
        """Run its shutdown hook."""
        if hook := resolved(self.name, "on_shutdown", self.on_shutdown):
            await hook(ctx)

    async def tidy_up(self, ctx: Context) -> dict[str, int]:
        """Remove what has expired; how much went, by kind."""
        tidy = resolved(self.name, "tidy", self.tidy)
        return await tidy(ctx) if tidy else {}


@dataclass(frozen=True, slots=True)
class Installed:
    """The families whose packages are there, the tasks of all by name, and why a family of ours is missing."""

    families: tuple[Family, ...]
    tasks: Mapping[str, Task]
    missing: Mapping[str, MissingExtra] = field(default_factory=dict)

    def find_task(self, name: str, what: str) -> Task:
        """The task of that name, for `what`. Raises SettingsError, which says what to install."""
        if name not in self.tasks:
            raise next(
                (MissingExtra(what, error.extra) for error in self.missing.values()),
                SettingsError(f"{what} needs the task {name!r}, and no installed family has it"),
            )
        return self.tasks[name]


@functools.cache
def declared() -> tuple[Family, ...]:
    """Every family that an installed package offers; their tasks are not imported yet.

    Raises SettingsError for one that cannot be imported, whose name is taken, or whose settings are none.
    """
    families = tuple(load_plug_ins(GROUP, Family).values())
    taken: dict[str, str] = {}
    for family in families:
        if family.settings is not None:
            check_settings_class(family.name, family.settings, taken)
            taken |= dict.fromkeys((each.name for each in fields(family.settings)), f"family {family.name!r}")
    return families


@functools.cache
def installed() -> Installed:
    """The families that can run here, with their tasks.

    Raises SettingsError for one that cannot be imported, and for a task's name that two families have.
    """
    families: list[Family] = []
    tasks: dict[str, Task] = {}
    owners: dict[str, str] = {}
    missing: dict[str, MissingExtra] = {}
    for family in declared():
        try:
            own = family.load_tasks()
        except SettingsError as error:
            cause = error.__cause__
            if family.name not in OURS or not isinstance(cause, ImportError) or extra_of(cause) is None:
                raise
            missing[family.name] = MissingExtra(f"the family {family.name!r}", "families")
            continue
        for each in own:
            if each.name in owners:
                taken = f"task {each.name!r} of family {family.name!r} is one of {owners[each.name]!r} already"
                raise SettingsError(f"{taken}; rename it, or uninstall one of the two")
            owners[each.name] = family.name
            tasks[each.name] = each
        families.append(family)
    return Installed(tuple(families), tasks, missing)


def check_settings(settings: Settings) -> None:
    """Raise SettingsError for a setting of any family that is wrong."""
    for family in declared():
        if family.settings is not None:
            settings.of(family.settings)


def check_families(settings: Settings) -> None:
    """Raise SettingsError for a family that cannot work, as it is or with these settings."""
    known = {*installed().tasks, TIDY_UP}
    for family in installed().families:
        family.check_settings(settings)
        check_schedules(family.name, family.load_schedules(settings), known)


def load_plug_ins(
    group: str, kind: type[Any], *, skip_missing_extras: bool = False, what: str = "family"
) -> dict[str, Any]:
    """What the entry points of a group name, by name: ours first, then the others by name.

    :param kind: what each has to be; it has a `name`, which is the entry point's.
    :param skip_missing_extras: leave out those of ours whose extra is not installed.
    :param what: what each is, for messages.

    Raises SettingsError for one that cannot be imported, is something else, or whose name is taken.
    """
    found: dict[str, EntryPoint] = {}
    for each in sorted(entry_points(group=group), key=_place):
        if each.name in found:
            raise SettingsError(
                f"two plug-ins are named {each.name!r}, one of {_package(found[each.name])} and one of "
                f"{_package(each)}; uninstall one, or give it another name"
            )
        found[each.name] = each
    loaded = {}
    for name, each in found.items():
        try:
            plug_in = each.load()
        except (Exception, SystemExit) as error:  # a plug-in may raise anything while it is imported
            if skip_missing_extras and name in OURS and isinstance(error, ImportError) and extra_of(error):
                continue
            raise SettingsError(_unusable(what, name, error, _package(each))) from error
        if not isinstance(plug_in, kind) or plug_in.name != name:
            raise SettingsError(
                f"plug-in {name!r} of {_package(each)}: {each.value} is not a {kind.__name__} named {name!r}"
            )
        loaded[name] = plug_in
    return loaded


def _place(each: EntryPoint) -> tuple[int, str, str]:
    is_ours = each.name in OURS and _package(each) == "arqlight"
    return (OURS.index(each.name) if is_ours else len(OURS), each.name, _package(each))


def _package(each: EntryPoint) -> str:
    return each.dist.name if each.dist else "an unknown package"


def _unusable(what: str, name: str, error: BaseException, package: str) -> str:
    return f"{what} {name!r} of {package} cannot be imported: {told(error)}; repair or uninstall its package"
