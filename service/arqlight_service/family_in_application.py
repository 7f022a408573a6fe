"""Puts a task family into the application: its routes, and what it needs while the application runs."""

from collections.abc import AsyncIterator, Callable

from aiohttp import web

from arqlight.errors import SettingsError
from arqlight.imports import told
from arqlight_service.api.paths import taking_any_text
from arqlight_service.family import ServiceFamily

Cleanup = Callable[[web.Application], AsyncIterator[None]]
OPENED = web.AppKey("opened", set[Cleanup])


def add_family(app: web.Application, family: ServiceFamily) -> None:
    """Its routes, and what it opens. Raises SettingsError for a route that is none, or is taken."""
    taken = _addresses(app.router)
    apart = web.UrlDispatcher()
    try:
        routes = taking_any_text(family.routes)
        apart.add_routes(routes)
    except (RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise SettingsError(f"family {family.name!r}: a route of it is none: {error}") from error
    # aiohttp takes a second route at an address, and never comes to it.
    if twice := sorted(taken & _addresses(apart)):
        raise SettingsError(f"family {family.name!r}: a route of it is taken: {' '.join(twice[0])}")
    app.add_routes(routes)
    opened = app.setdefault(OPENED, set())
    for each in family.cleanup:
        if each not in opened:
            opened.add(each)
            app.cleanup_ctx.append(_named(family.name, each))


def _named(family: str, cleanup: Cleanup) -> Cleanup:
    """That one; where it cannot open what it is for, the error says whose it is."""

    async def open_and_close(app: web.Application) -> AsyncIterator[None]:
        try:
            running = aiter(cleanup(app))
            await anext(running)
        except Exception as error:
            name = getattr(cleanup, "__name__", "cleanup")
            raise SettingsError(f"family {family!r}: {name} cannot start: {told(error)}") from error
        yield
        await anext(running, None)

    return open_and_close


def _addresses(router: web.UrlDispatcher) -> set[tuple[str, str]]:
    """Method and path of each route."""
    return {(route.method, route.resource.canonical) for route in router.routes() if route.resource is not None}
