"""The other side of the demo: a mail sink, a webhook receiver that fails now and then, three marketplaces."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

PRODUCTS = ("Lumen Pro", "Lumen Studio", "Tessera", "Quill")
_dice = random.SystemRandom()
_BEGAN = datetime.now(UTC)


class Mailbox:
    """An SMTP server's handler that takes mail slowly, and refuses some addresses in its own words."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Refuse two kinds of address: one permanently, one for now."""
        if address.startswith("former."):
            return f"550 5.1.1 <{address}>: no such mailbox here"
        if address.startswith("full.") and _dice.random() < 0.7:
            return "452 4.2.2 mailbox full, try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Take the message and forget it."""
        await asyncio.sleep(_dice.uniform(0.2, 2.5))
        return "250 2.0.0 accepted"


async def receive(request: web.Request) -> web.Response:
    """A third party's webhook address: mostly well, at times overloaded, broken, or gone."""
    await asyncio.sleep(_dice.uniform(0.1, 1.5))
    if request.path == "/retired":
        return web.Response(status=410, text="this integration was removed on 2026-10-01")
    roll = _dice.random()
    if roll < 0.12:
        return web.Response(status=503, text="upstream timed out", headers={"Retry-After": "3"})
    if roll < 0.18:
        return web.Response(status=500, text="<h1>Internal Server Error</h1>")
    return web.json_response({"received": True})


async def envato_sales(request: web.Request) -> web.Response:
    """Sales as Envato's API documents them: one more each half minute, the newest first, 20 a page."""
    if _dice.random() < 0.05:
        return web.Response(status=429, headers={"Retry-After": "5"})
    sold = 40 + int((datetime.now(UTC) - _BEGAN).total_seconds() // 30)
    first = sold - 20 * (int(request.query.get("page", "1")) - 1)
    return web.json_response([_envato_sale(number) for number in range(first, max(first - 20, 0), -1)])


async def gumroad_sales(request: web.Request) -> web.Response:
    """Sales as Gumroad's API documents them, on one page."""
    sold = 15 + int((datetime.now(UTC) - _BEGAN).total_seconds() // 60)
    sales = [
        {"id": f"gum-{number}", "email": f"buyer{number}@example.org", "product_name": PRODUCTS[number % 4],
         "price": 2900 + 100 * (number % 7), "currency_symbol": "$", "refunded": number % 13 == 5,
         "created_at": (_BEGAN - timedelta(hours=sold - number)).isoformat()}
        for number in range(sold, 0, -1)
    ]  # fmt: skip
    return web.json_response({"success": True, "sales": sales})


async def lemonsqueezy_orders(request: web.Request) -> web.Response:
    """Orders as Lemon Squeezy's API documents them."""
    sold, size = 60 + int((datetime.now(UTC) - _BEGAN).total_seconds() // 45), int(request.query["page[size]"])
    number, last = int(request.query["page[number]"]), -(-sold // size)
    first = sold - size * (number - 1)
    data = [_order(each, sold) for each in range(first, max(first - size, 0), -1)]
    about = {"currentPage": number, "lastPage": last, "perPage": size, "total": sold}
    return web.json_response({"meta": {"page": about}, "jsonapi": {"version": "1.0"}, "data": data})


def _order(number: int, sold: int) -> dict[str, Any]:
    at = (_BEGAN - timedelta(hours=sold - number)).isoformat()
    total, refunded = 2400 + 100 * (number % 9), number % 17 == 4
    attributes = {
        "user_email": f"buyer{number}@example.org", "currency": ("USD", "EUR", "JPY")[number % 3], "total": total,
        "status": "refunded" if refunded else "paid", "refunded": refunded, "refunded_amount": total if refunded else 0,
        "first_order_item": {"product_name": PRODUCTS[number % 4], "variant_name": "Default"},
        "created_at": at, "updated_at": at, "test_mode": False,
    }  # fmt: skip
    return {"type": "orders", "id": str(number), "attributes": attributes}


def _envato_sale(number: int) -> dict[str, Any]:
    sold_at = _BEGAN - timedelta(hours=40 - number)
    return {
        "amount": f"{19 + number % 40}.00", "sold_at": sold_at.isoformat(), "license": "Regular License",
        "support_amount": "0.00", "supported_until": None, "buyer": f"buyer{number}",
        "item": {"id": 100 + number % 4, "name": PRODUCTS[number % 4]},
        "code": f"00000000-0000-4000-8000-{number:012}",
    }  # fmt: skip


def application() -> web.Application:
    """All that speaks HTTP of it, on one port."""
    app = web.Application()
    app.router.add_get("/v3/market/author/sales", envato_sales)
    app.router.add_get("/v2/sales", gumroad_sales)
    app.router.add_get("/v1/orders", lemonsqueezy_orders)
    app.router.add_post("/{tail:.*}", receive)
    return app
