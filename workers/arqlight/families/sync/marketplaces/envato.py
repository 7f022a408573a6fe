"""Envato Market: `GET /v3/market/author/sales?page=`, newest first, with a personal token.

https://build.envato.com/api/#market_0_Author_Sales: the endpoint lists all unrefunded sales, as `{"amount", "sold_at",
"license", "support_amount", "supported_until", "item": {"id", "name"}, "code"}`, amounts in US dollars; behind the last
page is an empty list. So a refund is seen by a sale that is gone. Limits are told with 429 and Retry-After.
"""

import hashlib
from datetime import datetime
from typing import Any

import aiohttp

from arqlight.families.sync.asking import Api, UnexpectedAnswer
from arqlight.families.sync.currencies import minor_units
from arqlight.families.sync.marketplace import Marketplace
from arqlight.families.sync.sale import Page, Sale, moment_of, named, read_entries
from arqlight.families.sync.settings import SyncSettings
from arqlight.settings import Settings

CURRENCY = "USD"
WITHOUT_TOKEN = "make one at build.envato.com/my-apps, set ARQLIGHT_ENVATO_TOKEN"  # noqa: S105 - none is in there


class EnvatoSales:
    """The list of sales; a key is a page's number."""

    def __init__(self, session: aiohttp.ClientSession, settings: Settings) -> None:
        chosen = settings.of(SyncSettings)
        self._api = Api(session, "Envato", chosen.envato_token, WITHOUT_TOKEN)
        self._url = f"{chosen.envato_url.rstrip('/')}/v3/market/author/sales"

    async def read(self, key: str | None, since: datetime | None) -> Page:
        """The page of that number. There is always a next one: the list ends with an empty page."""
        number = int(key or 1)
        entries = await self._api.get_json(self._url, {"page": str(number)})
        if not isinstance(entries, list):
            raise UnexpectedAnswer(f"Envato answers a {type(entries).__name__}, not the list of sales it documents")
        sales, _, refused = read_entries(entries, read_sale)
        return Page(sales, str(number + 1), len(entries), refused)


def read_sale(entry: dict[str, Any]) -> Sale:
    """An entry of the list. Raises KeyError, TypeError, ValueError for one that is none."""
    item = entry["item"] or {"name": None}
    # The purchase code is the sale's name; an entry without one is named by what does not change of it.
    code = entry.get("code") or _named_by_content(entry)
    return Sale(
        id=str(code),
        product=named(item["name"], "item"),
        buyer=str(entry.get("buyer") or ""),
        amount_minor=minor_units(entry["amount"], CURRENCY),
        currency=CURRENCY,
        licence=str(entry.get("license") or ""),
        sold_at=moment_of(entry["sold_at"], "sold_at"),
        raw=entry,
    )


def _named_by_content(entry: dict[str, Any]) -> str:
    content = f"{entry['item']['id']}|{entry['sold_at']}|{entry['amount']}|{entry.get('license')}"
    return "#" + hashlib.sha256(content.encode()).hexdigest()[:32]


MARKETPLACE = Marketplace(
    name="envato",
    title="Envato",
    token=lambda settings: settings.of(SyncSettings).envato_token,
    token_setting="ARQLIGHT_ENVATO_TOKEN",  # noqa: S106 - its name
    reader=EnvatoSales,
    shifts=True,
    ends_empty=True,
    minute=17,
)
