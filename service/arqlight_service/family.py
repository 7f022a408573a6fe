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
from arqlight.family import load_plug_ins
from arqlight.settings import Settings

GROUP = "arqlight_service.families"


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
    checks: Sequence[Callable[[Settings], Awaitable[list[Finding]]]] = ()


@functools.cache
def service_families() -> tuple[ServiceFamily, ...]:
    """Every family whose packages are installed. Raises SettingsError, as `arqlight.family.load_plug_ins`."""
    return tuple(load_plug_ins(GROUP, ServiceFamily, skip_missing_extras=True).values())
