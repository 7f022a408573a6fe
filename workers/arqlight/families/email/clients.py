"""What the tasks of e-mail need while a worker lives; opened once, shared by all of its jobs."""

from typing import Any

from arqlight.families.email.rendering import Renderer
from arqlight.families.email.smtp import SmtpPool


async def open_clients(ctx: dict[Any, Any]) -> None:
    """Put the renderer and the connections to the mail server into `ctx`; each connects at its first use."""
    ctx.setdefault("renderer", Renderer())
    ctx.setdefault("smtp", SmtpPool(ctx["settings"]))


async def close_clients(ctx: dict[Any, Any]) -> None:
    """Close what `open_clients` opened."""
    await ctx["smtp"].close()
    await ctx["renderer"].close()
