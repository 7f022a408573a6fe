"""What the tasks of webhooks need while a worker lives; opened once, shared by all of its jobs."""

import secrets
from typing import Any

import aiohttp

from arqlight.families.webhooks.network import guarded_connector


async def open_clients(ctx: dict[Any, Any]) -> None:
    """Put an HTTP session into `ctx` that reaches no address it must not reach, and a name of this worker."""
    ctx.setdefault("webhook_worker", secrets.token_hex(8))
    if "http" not in ctx:
        ctx["http"] = aiohttp.ClientSession(
            connector=guarded_connector(ctx["settings"]),
            headers={"User-Agent": "arqlight-webhooks/1"},
            cookie_jar=aiohttp.DummyCookieJar(),
        )


async def close_clients(ctx: dict[Any, Any]) -> None:
    """Close what `open_clients` opened."""
    await ctx["http"].close()
