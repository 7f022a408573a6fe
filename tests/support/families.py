"""A worker of this process that runs the bundled tasks with a test's settings."""

from typing import Any

from arqlight.bundled import close_clients, open_clients
from arqlight.settings import Settings


def hooks(settings: Settings) -> dict[str, Any]:
    """The start-up and shutdown hooks, as options of a worker."""

    async def startup(ctx: dict[Any, Any]) -> None:
        ctx["settings"] = settings
        await open_clients(ctx)

    return {"settings": settings, "on_startup": startup, "on_shutdown": close_clients}
