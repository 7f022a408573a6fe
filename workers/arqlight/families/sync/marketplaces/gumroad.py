"""Gumroad: `GET /v2/sales?after=&page_key=` with an access token that has `view_sales`.

https://gumroad.com/api#sales: `{"success", "sales": [{"id", "email", "created_at", "product_name", "price" in cents,
"currency_symbol", "refunded", "partially_refunded", "amount_refundable_in_currency", "chargedback", "disputed",
"dispute_won", "license_key"}], "next_page_key"}`, newest first, ten a page; `after` is a day. A page's key names the
last sale before it, so the pages do not shift. Symbols: config/currencies.json of github.com/antiwork/gumroad.
"""

from datetime import datetime
from typing import Any

import aiohttp

from arqlight.families.sync.asking import Api, MarketplaceTrouble, UnexpectedAnswer
from arqlight.families.sync.currencies import minor_units, whole_units
from arqlight.families.sync.marketplace import Marketplace
from arqlight.families.sync.sale import Page, Sale, State, moment_of, named, read_entries, refund_state
from arqlight.families.sync.settings import SyncSettings
from arqlight.settings import Settings

WITHOUT_TOKEN = "make one at gumroad.com/settings/advanced, set ARQLIGHT_GUMROAD_TOKEN"  # noqa: S105 - none is in there
_CURRENCIES = {
    "$": "USD", "£": "GBP", "€": "EUR", "¥": "JPY", "₹": "INR", "A$": "AUD", "CAD$": "CAD", "C$": "CAD", "HK$": "HKD",
    "SGD$": "SGD", "NT$": "TWD", "NZ$": "NZD", "R$": "BRL", "ZAR": "ZAR", "CHF": "CHF", "₪": "ILS", "₱": "PHP",
    "₩": "KRW", "zł": "PLN", "Kč": "CZK",
}  # fmt: skip


class GumroadSales:
    """The list of sales; a key is Gumroad's own."""

    def __init__(self, session: aiohttp.ClientSession, settings: Settings) -> None:
        chosen = settings.of(SyncSettings)
        self._api = Api(session, "Gumroad", chosen.gumroad_token, WITHOUT_TOKEN)
        self._url = f"{chosen.gumroad_url.rstrip('/')}/v2/sales"

    async def read(self, key: str | None, since: datetime | None) -> Page:
        """The page of that key, of sales since that day."""
        params = {"after": since.date().isoformat()} if since else {}
        answer = await self._api.get_json(self._url, params | ({"page_key": key} if key else {}))
        entries = answer.get("sales") if isinstance(answer, dict) else None
        if not isinstance(answer, dict) or answer.get("success") is not True or not isinstance(entries, list):
            said = answer.get("message") if isinstance(answer, dict) else type(answer).__name__
            raise UnexpectedAnswer(f"Gumroad answers {str(said)[:200]!r}, not the sales it documents")
        following = answer.get("next_page_key")
        if not entries and key is not None and not following:
            # A key is given out for a page that has sales: an empty one, with no way on, would cost all behind it.
            raise MarketplaceTrouble("Gumroad answers an empty page where it said that there are more sales")
        sales, _, refused = read_entries(entries, read_sale)
        return Page(sales, str(following) if following else None, len(entries), refused)


def read_sale(entry: dict[str, Any]) -> Sale:
    """An entry of the list. Raises KeyError, TypeError, ValueError for one that is none."""
    symbol = str(entry.get("currency_symbol") or "$")
    currency = _CURRENCIES.get(symbol, symbol)
    amount = whole_units(entry["price"], currency)
    refunded = _refunded(entry, amount, currency)
    return Sale(
        id=str(entry["id"]),
        product=named(entry["product_name"], "product"),
        buyer=str(entry.get("email") or ""),
        amount_minor=amount,
        currency=currency,
        licence="",
        sold_at=moment_of(entry["created_at"], "created_at"),
        raw={name: value for name, value in entry.items() if name != "license_key"},
        refunded_minor=refunded,
        state=_state(entry, amount, refunded),
    )


def _state(entry: dict[str, Any], amount: int, refunded: int) -> State:
    disputed = bool(entry.get("disputed") or entry.get("chargedback")) and not entry.get("dispute_won")
    if entry.get("refunded") and not disputed:
        return "refunded"  # also of what cost nothing
    if entry.get("partially_refunded") and not disputed:
        return "partially_refunded"
    return refund_state(amount, refunded, disputed=disputed)


def _refunded(entry: dict[str, Any], amount: int, currency: str) -> int:
    """How much went back. Of a part, Gumroad tells what could still be given back."""
    if entry.get("refunded"):
        return amount
    left_text = entry.get("amount_refundable_in_currency")
    if not entry.get("partially_refunded") or left_text is None:
        return 0
    left = minor_units(str(left_text).replace(",", ""), currency)
    return min(max(amount - left, 0), amount)


MARKETPLACE = Marketplace(
    name="gumroad",
    title="Gumroad",
    token=lambda settings: settings.of(SyncSettings).gumroad_token,
    token_setting="ARQLIGHT_GUMROAD_TOKEN",  # noqa: S106 - its name
    reader=GumroadSales,
    minute=47,
)
