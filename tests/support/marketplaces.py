"""Three marketplaces that answer as their documentation says, and misbehave as real ones do. Their clock is a value."""

import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

NEWEST = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
PAGE = 20


def envato_sale(number: int, **more: Any) -> dict[str, Any]:
    """Sale number `number`; the higher, the newer."""
    return {
        "amount": "29.00", "sold_at": (NEWEST - timedelta(hours=1000 - number)).isoformat(), "license": "Regular License",
        "support_amount": "0.00", "supported_until": None, "item": {"id": 7, "name": "Quill"}, "code": f"code-{number}",
    } | more  # fmt: skip


def gumroad_sale(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"g{number}", "email": f"b{number}@example.org", "product_name": "Tessera", "price": 1999,
        "currency_symbol": "€", "refunded": False, "partially_refunded": False, "chargedback": False, "disputed": False,
        "dispute_won": False, "amount_refundable_in_currency": "19.99", "license_key": "SECRET-KEY",
        "created_at": (NEWEST - timedelta(days=100 - number)).isoformat(),
    } | more  # fmt: skip


def lemonsqueezy_order(number: int, **more: Any) -> dict[str, Any]:
    """An order; `more` are attributes."""
    at = (NEWEST - timedelta(hours=1000 - number)).isoformat()
    attributes = {
        "store_id": 1, "identifier": f"uuid-{number}", "order_number": number, "user_email": f"c{number}@example.org",
        "currency": "USD", "total": 1199, "refunded_amount": 0, "status": "paid", "refunded": False, "refunded_at": None,
        "first_order_item": {"id": number, "product_name": "Lumen", "variant_name": "Default"}, "created_at": at,
        "updated_at": at, "test_mode": False,
    } | more  # fmt: skip
    return {"type": "orders", "id": str(number), "attributes": attributes, "relationships": {"store": {}}}


SALE_OF: dict[str, Callable[..., dict[str, Any]]] = {
    "envato": envato_sale,
    "gumroad": gumroad_sale,
    "lemonsqueezy": lemonsqueezy_order,
}


def signed(secret: str, event: str, order: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    """A webhook of Lemon Squeezy: its body and headers."""
    body = json.dumps({"meta": {"event_name": event, "test_mode": False}, "data": order}).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return body, {"Content-Type": "application/json", "X-Event-Name": event, "X-Signature": signature}


class Marketplaces:
    """`sales` by marketplace, the newest first; `refusals` are answered first, each once.

    `before` is called with the number of each request before it is answered, and may change the sales. `limit` is so
    many requests in so many seconds of `clock_s`, which only a test moves.
    """

    def __init__(self) -> None:
        self.url = ""
        self.sales: dict[str, list[Any]] = {name: [] for name in SALE_OF}
        self.refusals: list[web.Response] = []
        self.asked: list[str] = []
        self.token = "right-token"
        self.before: Callable[[int], None] = lambda number: None
        self.limit: tuple[int, float] | None = None
        self.clock_s = 0.0
        self._window: list[float] = []

    def _refusal(self, request: web.Request) -> web.Response | None:
        self.asked.append(request.path_qs)
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"error": "Unauthorized"}, status=401)
        self.before(len(self.asked))
        if self.refusals:
            return self.refusals.pop(0)
        if self.limit is not None:
            most, window_s = self.limit
            self._window = [at for at in self._window if at > self.clock_s - window_s]
            if len(self._window) >= most:
                wait_s = int(self._window[0] + window_s - self.clock_s)
                return web.Response(status=429, headers={"Retry-After": str(max(wait_s, 1))})
            self._window.append(self.clock_s)
        return None

    async def envato(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        first = (int(request.query["page"]) - 1) * PAGE
        return web.json_response(self.sales["envato"][first : first + PAGE])

    async def gumroad(self, request: web.Request) -> web.Response:
        """A key names the last sale of the page before, as Gumroad's do: pages do not shift."""
        if refusal := self._refusal(request):
            return refusal
        after, behind = request.query.get("after", ""), request.query.get("page_key")
        found = [sale for sale in self.sales["gumroad"] if not isinstance(sale, dict) or _day(sale) >= after]
        if behind is not None:
            at, _, _ = behind.partition("/")
            found = [sale for sale in found if isinstance(sale, dict) and str(sale.get("created_at", "")) < at]
        page = found[:PAGE]
        answer: dict[str, Any] = {"success": True, "sales": page}
        if len(found) > PAGE:
            answer |= {"next_page_key": f"{page[-1]['created_at']}/{page[-1]['id']}", "next_page_url": "/v2/sales?…"}
        return web.json_response(answer)

    async def lemonsqueezy(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        assert request.headers["Accept"] == "application/vnd.api+json"
        orders, number = self.sales["lemonsqueezy"], int(request.query["page[number]"])
        size = min(int(request.query["page[size]"]), PAGE)
        last = max(1, -(-len(orders) // size))
        about = {"currentPage": number, "lastPage": last, "perPage": size, "total": len(orders)}
        data = orders[(number - 1) * size : number * size]
        return web.json_response({"meta": {"page": about}, "jsonapi": {"version": "1.0"}, "data": data})

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/v3/market/author/sales", self.envato)
        app.router.add_get("/v2/sales", self.gumroad)
        app.router.add_get("/v1/orders", self.lemonsqueezy)
        return app


def _day(sale: dict[str, Any]) -> str:
    return str(sale.get("created_at", "9"))[:10]


@contextlib.asynccontextmanager
async def open_market() -> AsyncIterator[Marketplaces]:
    """The marketplaces on a port of their own."""
    market = Marketplaces()
    async with TestServer(market.application()) as server:
        market.url = str(server.make_url(""))
        yield market
