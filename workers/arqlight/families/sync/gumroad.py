"""Gumroad: `GET /v2/sales?after=&page_key=` with an access token that has `view_sales`.

https://gumroad.com/api#sales: `{"success", "sales": [{"id", "email", "created_at", "product_name", "price" in cents,
"currency_symbol", "refunded", "license_key"}], "next_page_key"}`, newest first; `after` is a day.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import aiohttp

from arqlight.families.sync.marketplace import Page, Sale, TokenMissing, UnexpectedAnswer, get_json, read_sales
from arqlight.families.sync.settings import SyncSettings
from arqlight.settings import Settings

MOST_PAGES = 5_000
# Refunds change sales that were seen: each run looks at the last month again.
LOOK_BACK = timedelta(days=30)
_CURRENCIES = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "A$": "AUD", "CAD$": "CAD", "C$": "CAD", "₹": "INR"}


class Gumroad:
    """Its cursor is the day of the newest sale that was written."""

    name = "gumroad"

    def __init__(self, session: aiohttp.ClientSession, settings: Settings) -> None:
        self._session = session
        self._settings = settings.of(SyncSettings)

    async def pages(self, cursor: str | None) -> AsyncIterator[Page]:
        """Page by page, newest first; only the last page moves the cursor."""
        if self._settings.gumroad_token is None:
            raise TokenMissing(
                "no token for Gumroad is set; make one at gumroad.com/settings/advanced, set ARQLIGHT_GUMROAD_TOKEN"
            )
        token = self._settings.gumroad_token.get_secret_value()
        url = f"{self._settings.gumroad_url.rstrip('/')}/v2/sales"
        params = {"after": (datetime.fromisoformat(cursor) - LOOK_BACK).date().isoformat()} if cursor else {}
        newest = cursor or ""
        for _ in range(MOST_PAGES):
            answer = await get_json(self._session, "Gumroad", url, token, params)
            if not (
                isinstance(answer, dict) and answer.get("success") is True and isinstance(answer.get("sales"), list)
            ):
                said = answer.get("message") if isinstance(answer, dict) else type(answer).__name__
                raise UnexpectedAnswer(f"Gumroad answers {said!r}, not the sales it documents")
            sales, refused = read_sales(answer["sales"], _sale)
            newest = max([sale.sold_at.date().isoformat() for sale in sales] + [newest])
            following = answer.get("next_page_key")
            yield Page(sales, refused, None if following else newest or None)
            if not following:
                return
            params = {**params, "page_key": str(following)}


def _sale(entry: dict[str, Any]) -> Sale:
    sold_at = datetime.fromisoformat(entry["created_at"])
    if sold_at.tzinfo is None:
        raise ValueError(f"created_at {entry['created_at']!r} has no time zone")
    symbol = str(entry.get("currency_symbol") or "$")
    cents = Decimal(entry["price"])
    return Sale(
        id=str(entry["id"]), product=str(entry["product_name"]), buyer=str(entry.get("email") or ""),
        # Yen have no cents: Gumroad gives them as they are.
        amount=cents if symbol == "¥" else cents / 100, currency=_CURRENCIES.get(symbol, symbol[:8]),
        licence="", refunded=bool(entry.get("refunded") or entry.get("chargedback")), sold_at=sold_at,
        raw={name: value for name, value in entry.items() if name != "license_key"},
    )  # fmt: skip
