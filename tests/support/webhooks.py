"""A receiver of webhooks that behaves as told, and short ways to register an endpoint, raise an event, deliver it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import text

from arqlight.families.webhooks.delivery import deliver_event
from arqlight.families.webhooks.records import deliveries, endpoints
from arqlight.families.webhooks.records.events import keep_event


class Receiver:
    """Answers as told, and keeps what it got; while `holds` is set it takes requests and answers none."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] = {"text": "thanks"}
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.url = ""
        self.holds = False
        self.held = 0
        self.most_held = 0
        self.let_go = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        if self.holds:
            self.held += 1
            self.most_held = max(self.most_held, self.held)
            try:
                await self.let_go.wait()
            finally:
                self.held -= 1
        return web.Response(**self.answer)

    def ids(self) -> list[str]:
        """The webhook-ids of what it got, in order."""
        return [headers["webhook-id"] for headers, _ in self.got]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens while the body runs."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.take)
    async with TestServer(app) as server:
        receiver.url = str(server.make_url("/hook"))
        yield receiver
        receiver.let_go.set()


async def register(ctx: dict[str, Any], url: str, *event_types: str, **more: Any) -> tuple[str, str]:
    """A new endpoint: its id and its secret."""
    endpoint, secret = await endpoints.register(
        ctx["database"], ctx["keys"], ctx["settings"], url=url, event_types=list(event_types), **more
    )
    return endpoint.id, secret


async def raise_event(ctx: dict[str, Any], message: str, customer: str | None = None) -> None:
    """Keep an event of type licence.issued."""
    await keep_event(ctx["database"], message, "licence.issued", '{"type":"licence.issued"}', customer)


async def deliver(ctx: dict[str, Any], endpoint_id: str, message: str = "msg_1", run: int = 0, attempt: int = 1) -> Any:
    """One attempt at an event, which is kept first; returns and raises as the task does."""
    await raise_event(ctx, message)
    return await deliver_event({**ctx, "job_try": attempt}, endpoint_id, message, run)


async def delivery_of(ctx: dict[str, Any], endpoint_id: str, message: str = "msg_1") -> dict[str, Any]:
    """Where an event for an endpoint stands."""
    found = await deliveries.list_deliveries(ctx["database"], endpoint_id, limit=200)
    return next(each for each in found if each["message_id"] == message)


async def states(ctx: dict[str, Any], endpoint_id: str) -> list[str]:
    """Of each delivery of an endpoint, the oldest first."""
    found = await deliveries.list_deliveries(ctx["database"], endpoint_id, limit=200)
    return [each["state"] for each in reversed(found)]


async def days_pass(ctx: dict[str, Any], days: float) -> None:
    """Make all that is written down so many days older."""
    columns = {
        "webhook_endpoints": ("failing_since", "warned_at", "paused_until"),
        "webhook_deliveries": ("run_at", "next_at"),
        "webhook_events": ("at",),
        "webhook_secrets": ("until",),
    }
    async with ctx["database"].begin() as connection:
        for table, names in columns.items():
            changes = ", ".join(f"{name} = {name} - make_interval(secs => {days * 86400})" for name in names)
            await connection.execute(text(f"UPDATE arqlight.{table} SET {changes}"))
