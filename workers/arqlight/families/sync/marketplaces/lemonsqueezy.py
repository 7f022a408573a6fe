"""Lemon Squeezy: `GET /v1/orders?page[number]=&page[size]=`, JSON:API, newest first, with an API key.

https://docs.lemonsqueezy.com/api/orders: `{"meta": {"page": {"currentPage", "lastPage", "total"}}, "data": [{"id",
"attributes": {"identifier", "user_email", "currency", "total" and "refunded_amount" in cents, "status": pending,
failed, paid, refunded, partial_refund or fraudulent, "refunded", "first_order_item": {"product_name", "variant_name"},
"created_at", "updated_at", "test_mode"}}]}`. 300 requests a minute, then 429. Refunded orders stay in the list.

https://docs.lemonsqueezy.com/help/webhooks: `X-Signature` is the hexadecimal HMAC-SHA256 of the body; `order_created`
and `order_refunded` carry the order as above. Anything but 200 is sent again up to three times, so one may come twice,
and a refund before its order: `updated_at` says which is newer.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import aiohttp

from arqlight.families.sync.asking import Api, UnexpectedAnswer
from arqlight.families.sync.currencies import whole_units
from arqlight.families.sync.marketplace import Event, Marketplace, Webhook
from arqlight.families.sync.sale import Page, Refund, Sale, State, moment_of, named, read_entries, refund_state
from arqlight.families.sync.settings import SyncSettings
from arqlight.jobs.bounded_json import read_bounded
from arqlight.jobs.budget import ANSWERED, Budget
from arqlight.settings import Settings

WITHOUT_TOKEN = "make an API key at app.lemonsqueezy.com/settings/api, set ARQLIGHT_LEMONSQUEEZY_TOKEN"  # noqa: S105
PAGE_SIZE = 100
SIGNATURE = "X-Signature"
ORDER_EVENTS = ("order_created", "order_refunded")
NO_SALE_YET = ("pending", "failed")


class LemonSqueezyOrders:
    """The list of orders; a key is a page's number."""

    def __init__(self, session: aiohttp.ClientSession, settings: Settings) -> None:
        chosen = settings.of(SyncSettings)
        accept = "application/vnd.api+json"
        self._api = Api(session, "Lemon Squeezy", chosen.lemonsqueezy_token, WITHOUT_TOKEN, accept)
        self._url = f"{chosen.lemonsqueezy_url.rstrip('/')}/v1/orders"

    async def read(self, key: str | None, since: datetime | None) -> Page:
        """The page of that number."""
        number = int(key or 1)
        answer = await self._api.get_json(self._url, {"page[number]": str(number), "page[size]": str(PAGE_SIZE)})
        try:
            entries, about = answer["data"], answer["meta"]["page"]
            last, total = int(about["lastPage"]), int(about["total"])
            if not isinstance(entries, list):
                raise TypeError(f"its data is a {type(entries).__name__}")
        except (KeyError, TypeError, ValueError) as error:
            raise UnexpectedAnswer(f"Lemon Squeezy answers not the orders it documents: {error!r}") from error
        sales, refunds, refused = read_entries(entries, read_order)
        return Page(sales, str(number + 1) if number < last else None, len(entries), refused, refunds, total)


def read_order(entry: dict[str, Any]) -> Sale | Refund | None:
    """An order; a refund alone where it says no more, None where nothing was paid yet.

    Raises KeyError, TypeError, ValueError for what is none.
    """
    about = entry["attributes"]
    if about.get("test_mode"):
        raise ValueError("it is of the test mode: nothing was sold")
    if about["status"] in NO_SALE_YET:
        return None
    currency = str(about["currency"])
    amount = whole_units(about["total"], currency)
    refunded = whole_units(about.get("refunded_amount") or 0, currency)
    if about.get("refunded") and not refunded:
        refunded = amount
    state = _state(about, amount, refunded)
    changed_at = moment_of(about["updated_at"], "updated_at")
    item = about.get("first_order_item")
    if not item and refunded:
        return Refund(str(entry["id"]), refunded, state, changed_at)
    if not item:
        raise ValueError("it has no item")
    variant = str(item.get("variant_name") or "")
    return Sale(
        id=str(entry["id"]),
        product=named(item["product_name"], "product"),
        buyer=str(about.get("user_email") or ""),
        amount_minor=amount,
        currency=currency,
        licence="" if variant == "Default" else variant,
        sold_at=moment_of(about["created_at"], "created_at"),
        raw={name: value for name, value in entry.items() if name != "relationships"},
        refunded_minor=refunded,
        state=state,
        changed_at=changed_at,
    )


def _state(about: dict[str, Any], amount: int, refunded: int) -> State:
    status = about["status"]
    if status not in ("paid", "refunded", "partial_refund", "fraudulent"):
        raise ValueError(f"status {str(status)[:50]!r} is none that is documented")
    if status == "refunded":
        return "refunded"
    return refund_state(amount, refunded, disputed=status == "fraudulent")


def check_signature(secret: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether `X-Signature` is this body's, under this secret."""
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), headers.get(SIGNATURE, "").encode("utf-8", "replace"))


def read_webhook(body: bytes) -> Event:
    """The order of a webhook; None for an event that is about no order. Raises ValueError for what cannot be used."""
    told = read_bounded(body, Budget(ANSWERED))
    if told["meta"]["event_name"] not in ORDER_EVENTS:
        return None
    sales, refunds, refused = read_entries([told["data"]], read_order)
    if refused:
        raise ValueError(refused[0].reason)
    found: list[Sale | Refund] = [*sales, *refunds]
    return found[0] if found else None


MARKETPLACE = Marketplace(
    name="lemonsqueezy",
    title="Lemon Squeezy",
    token=lambda settings: settings.of(SyncSettings).lemonsqueezy_token,
    token_setting="ARQLIGHT_LEMONSQUEEZY_TOKEN",  # noqa: S106 - its name
    reader=LemonSqueezyOrders,
    shifts=True,
    pages_a_minute=300,
    minute=32,
    webhook=Webhook(
        secret=lambda settings: settings.of(SyncSettings).lemonsqueezy_webhook_secret,
        check=check_signature,
        read=read_webhook,
    ),
)
