"""What the bundled tasks need while a worker lives; opened once, shared by all of its jobs."""

from typing import Any

import aiohttp

from arqlight.families.database import Database
from arqlight.families.email.rendering import Renderer
from arqlight.families.email.smtp import SmtpPool
from arqlight.families.webhooks.network import guarded_connector
from arqlight.key_ring import KeyRing
from arqlight.runtime.job_log import job_log
from arqlight.settings import Settings, load_settings


def no_progress(done: float, total: float, what: str = "") -> None:
    """In the place of `ctx["progress"]` under a plain arq worker, where nobody could look at it."""


async def open_clients(ctx: dict[Any, Any]) -> None:
    """Put settings, database, HTTP session, mail connections, renderer and keys into `ctx`, where they are not yet.

    Nothing connects here: each does at its first use, so a server that comes later is no trouble.
    """
    settings: Settings = ctx.setdefault("settings", load_settings())
    ctx.setdefault("progress", no_progress)
    ctx.setdefault("log", job_log())
    ctx.setdefault("database", Database(settings))
    ctx.setdefault("keys", KeyRing(settings))
    ctx.setdefault("renderer", Renderer())
    ctx.setdefault("smtp", SmtpPool(settings))
    if "http" not in ctx:
        ctx["http"] = aiohttp.ClientSession(
            connector=guarded_connector(settings),
            headers={"User-Agent": "arqlight-webhooks/1"},
            cookie_jar=aiohttp.DummyCookieJar(),
        )
    # Marketplaces are reached at addresses that are set, not at ones that anybody gave.
    ctx.setdefault("marketplaces", aiohttp.ClientSession(headers={"User-Agent": "arqlight-sync/1"}))


async def close_clients(ctx: dict[Any, Any]) -> None:
    """Close what `open_clients` opened."""
    await ctx["marketplaces"].close()
    await ctx["http"].close()
    await ctx["smtp"].close()
    await ctx["renderer"].close()
    await ctx["database"].close()
