"""What the sync of marketplaces needs while a worker lives; opened once, shared by all of its jobs."""

from typing import Any

import aiohttp


async def open_clients(ctx: dict[Any, Any]) -> None:
    """Put an HTTP session into `ctx`: marketplaces are reached at addresses that are set, not at ones anybody gave."""
    if "marketplaces" not in ctx:
        ctx["marketplaces"] = aiohttp.ClientSession(headers={"User-Agent": "arqlight-sync/1"})


async def close_clients(ctx: dict[Any, Any]) -> None:
    """Close what `open_clients` opened."""
    await ctx["marketplaces"].close()
