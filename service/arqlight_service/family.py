"""The service's half of a task family: its routes, pages and entries in the navigation, as a plug-in.

A package offers one by an entry point of the group `arqlight_service.families` that names a `ServiceFamily`, under the
same name as the worker's half (see `arqlight.family`).
"""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from arqlight.connections.finding import Finding
from arqlight.errors import SettingsError
from arqlight.family import load_plug_ins
from arqlight.settings import Settings

GROUP = "arqlight_service.families"
Check = Callable[[Settings], Awaitable[list[Finding]]]


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """A page in the navigation. `page` is what its template is given under that name, to mark it as the current one."""

    address: str
    name: str
    page: str


@dataclass(frozen=True, slots=True)
class ServiceFamily:
    """The service's half of a task family.

    :param routes: of the API and of pages; each states what it needs, as the service's own do.
    :param navigation: its pages, in order.
    :param templates: a folder of Jinja templates, which may extend `layout.html`.
    :param cleanup: opens what it needs while the application runs (aiohttp's `cleanup_ctx`); one that several families
        name is run once.
    :param checks: what `arqlight doctor` looks at for it; one that several families name is made once.
    """

    name: str
    routes: Sequence[web.AbstractRouteDef] = ()
    navigation: Sequence[NavigationEntry] = ()
    templates: Path | None = None
    cleanup: Sequence[Callable[[web.Application], AsyncIterator[None]]] = ()
    checks: Sequence[Check] = ()


@functools.cache
def service_families() -> tuple[ServiceFamily, ...]:
    """Every family whose packages are installed. Raises SettingsError, as `load_plug_ins`."""
    families = tuple(load_plug_ins(GROUP, ServiceFamily, skip_missing_extras=True).values())
    for family in families:
        _check(family)
    return families


def _check(family: ServiceFamily) -> None:
    whose = f"family {family.name!r}"
    if family.templates is not None and not Path(family.templates).is_dir():
        raise SettingsError(f"{whose}: its templates are in no folder: {str(family.templates)!r}; is it packaged?")
    for entry in family.navigation:
        if not isinstance(entry, NavigationEntry) or not entry.address.startswith("/"):
            raise SettingsError(f"{whose}: {entry!r} is no NavigationEntry('/address', 'Name', 'page')")
    for field, given in (("cleanup", family.cleanup), ("checks", family.checks)):
        if not isinstance(given, list | tuple) or not all(map(callable, given)):
            raise SettingsError(f"{whose}: its {field} are {given!r}; write a tuple of functions")
