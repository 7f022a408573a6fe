"""Envato Market: `GET /v3/market/author/sales?page=`, newest first, with a personal token.

https://build.envato.com/api/: the endpoint gives a list of `{"amount", "sold_at", "license", "support_amount",
"supported_until", "item": {"id", "name"}, "code"}` without refunded sales, an empty list behind the last page.
"""

import hashlib
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import aiohttp

from arqlight.families.sync.marketplace import Page, Sale, TokenMissing, UnexpectedAnswer, get_json, read_sales
from arqlight.families.sync.settings import SyncSettings
from arqlight.settings import Settings

MOST_PAGES = 5_000
# Their answers are cached for up to an hour, and sales of one second may come in any order: look back a little.
LOOK_BACK_S = 2 * 3600


class Envato:
    """Its cursor is the time of the newest sale that was written (ISO 8601)."""

    name = "envato"

    def __init__(self, session: aiohttp.ClientSession, settings: Settings) -> None:
        self._session = session
        self._settings = settings.of(SyncSettings)

    async def pages(self, cursor: str | None) -> AsyncIterator[Page]:
        """Page by page, newest first, until behind the cursor; only the last page moves it."""
        if self._settings.envato_token is None:
            raise TokenMissing(
                "no token for Envato is set; make one at build.envato.com/my-apps, set ARQLIGHT_ENVATO_TOKEN"
            )
        token = self._settings.envato_token.get_secret_value()
        url = f"{self._settings.envato_url.rstrip('/')}/v3/market/author/sales"
        until = datetime.fromisoformat(cursor).timestamp() - LOOK_BACK_S if cursor else None
        newest = datetime.fromisoformat(cursor) if cursor else None
        for number in range(1, MOST_PAGES + 1):
            entries = await get_json(self._session, "Envato", url, token, {"page": str(number)})
            if not isinstance(entries, list):
                raise UnexpectedAnswer(f"Envato answers a {type(entries).__name__}, not the list of sales it documents")
            sales, refused = read_sales(entries, _sale)
            newest = max([sale.sold_at for sale in sales] + ([newest] if newest else []), default=None)
            is_last = not entries or (until is not None and any(sale.sold_at.timestamp() < until for sale in sales))
            yield Page(sales, refused, newest.isoformat() if is_last and newest else None)
            if is_last:
                return


def _sale(entry: dict[str, Any]) -> Sale:
    item = entry["item"]
    sold_at = datetime.fromisoformat(entry["sold_at"])
    if sold_at.tzinfo is None:
        raise ValueError(f"sold_at {entry['sold_at']!r} has no time zone")
    # The purchase code is the sale's name; an entry without one is named by what does not change of it.
    named = (
        entry.get("code")
        or "#"
        + hashlib.sha256(
            f"{item['id']}|{entry['sold_at']}|{entry['amount']}|{entry.get('license')}".encode()
        ).hexdigest()[:32]
    )
    return Sale(
        id=str(named), product=str(item["name"]), buyer=str(entry.get("buyer") or ""), amount=Decimal(entry["amount"]),
        currency="USD", licence=str(entry.get("license") or ""), refunded=False, sold_at=sold_at, raw=entry,
    )  # fmt: skip
