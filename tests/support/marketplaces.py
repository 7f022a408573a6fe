"""Two marketplaces that answer as their documentation says, errors included."""

from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

NEWEST = datetime(2026, 6, 1, 12, tzinfo=UTC)
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
        "currency_symbol": "€", "refunded": False, "license_key": "SECRET-KEY",
        "created_at": (NEWEST - timedelta(days=100 - number)).isoformat(),
    } | more  # fmt: skip


class Marketplaces:
    """`sales` by marketplace, the newest first; `refusals` are answered first, each once."""

    def __init__(self) -> None:
        self.sales: dict[str, list[Any]] = {"envato": [], "gumroad": []}
        self.refusals: list[web.Response] = []
        self.asked: list[str] = []
        self.token = "right-token"

    def _refusal(self, request: web.Request) -> web.Response | None:
        self.asked.append(request.path_qs)
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"error": "Unauthorized"}, status=401)
        return self.refusals.pop(0) if self.refusals else None

    async def envato(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        first = (int(request.query["page"]) - 1) * PAGE
        return web.json_response(self.sales["envato"][first : first + PAGE])

    async def gumroad(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        after = request.query.get("after", "")
        matching = [sale for sale in self.sales["gumroad"] if sale["created_at"][:10] >= after]
        first = int(request.query.get("page_key", "0"))
        answer: dict[str, Any] = {"success": True, "sales": matching[first : first + PAGE]}
        if first + PAGE < len(matching):
            answer |= {"next_page_key": str(first + PAGE), "next_page_url": "/v2/sales?…"}
        return web.json_response(answer)

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/v3/market/author/sales", self.envato)
        app.router.add_get("/v2/sales", self.gumroad)
        return app
