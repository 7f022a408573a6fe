"""What each route needs. A route states it with `@needs(…)` where it is written; one that does not, stops the start."""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web

from arqlight.errors import SettingsError
from arqlight.journal.audit_entry import Kind

Handler = TypeVar("Handler", bound=Callable[..., Any])
_MARK = "__need__"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Role(enum.IntEnum):
    """Each may do what those before it may. `PUBLIC` needs no sign-in at all."""

    PUBLIC = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def shown(self) -> str:
        """As people and tokens name it."""
        return self.name.lower()


# What a token may be for besides a role: one thing, and nothing else.
ENQUEUE, TELEMETRY, METRICS = "enqueue", "telemetry", "metrics"
PURPOSES = (ENQUEUE, TELEMETRY, METRICS)
SCOPES = (*(role.shown for role in Role if role), *PURPOSES)


def role_named(name: str) -> Role | None:
    """The role of that name; None for what is none that somebody can have."""
    return next((role for role in Role if role and role.shown == name), None)


@dataclass(frozen=True, slots=True)
class Need:
    """What a route asks for: a role, or a token made for the `purpose` alone.

    `does` is what the audit list says of it, with names of the path in braces, and `kind` under which entries. Of a GET
    there is an entry only where it hands out a secret or signs somebody in.
    """

    role: Role
    purpose: str = ""
    does: str = ""
    kind: Kind = "change"


def needs(role: Role, purpose: str = "", does: str = "", kind: Kind = "change") -> Callable[[Handler], Handler]:
    """State what a handler needs."""

    def mark(handler: Handler) -> Handler:
        setattr(handler, _MARK, Need(role, purpose, does, kind))
        return handler

    return mark


def need_of(route: web.AbstractRoute) -> Need | None:
    """What a route states; static files are for everybody, and None is a route that states nothing."""
    if isinstance(route.resource, web.StaticResource):
        return Need(Role.PUBLIC)
    stated: Need | None = getattr(route.handler, _MARK, None)
    return stated


def check_routes(app: web.Application) -> None:
    """Raise SettingsError for a route that does not say what it needs."""
    for route in app.router.routes():
        if need_of(route) is None:
            raise SettingsError(
                f"{route.method} {route.resource and route.resource.canonical} states no role: @needs(…)"
            )
