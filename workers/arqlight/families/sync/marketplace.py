"""What a marketplace is to us: pages of sales behind a cursor, and errors in plain words."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import aiohttp

from arqlight.errors import NotYet, PermanentFailure
from arqlight.families.retry_after import retry_after_s
from arqlight.jobs.bounded_json import read_bounded
from arqlight.jobs.budget import ANSWERED, Budget

REQUEST_TIMEOUT_S = 30
LONGEST_WAIT_S = 3600.0
DEFAULT_WAIT_S = 60.0
MOST_DIGITS = 30  # of an amount, before or after its point


class TokenMissing(PermanentFailure):
    """No token is set for the marketplace."""


class TokenRefused(PermanentFailure):
    """The marketplace does not take the token: wrong, expired, or without a permission."""


class MarketplaceTrouble(Exception):
    """The marketplace answers with an error of its own: try again."""


class UnexpectedAnswer(PermanentFailure):
    """The marketplace answers something that its documentation does not say."""


@dataclass(frozen=True, slots=True)
class Sale:
    """One sale, in the words of all marketplaces."""

    id: str
    product: str
    buyer: str
    amount: Decimal
    currency: str
    licence: str
    refunded: bool
    sold_at: datetime
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of sales; `refused` are entries that could not be read: `{"entry", "reason"}`.

    `cursor` is where the next run may begin once this page and all before it are written; None: no new place.
    """

    sales: list[Sale]
    refused: list[dict[str, str]] = field(default_factory=list)
    cursor: str | None = None


class Marketplace(Protocol):
    """A marketplace whose sales are synced."""

    name: str

    def pages(self, cursor: str | None) -> AsyncIterator[Page]:
        """The pages behind `cursor`, as an earlier run left it; None begins at the beginning.

        Raises TokenMissing, TokenRefused, UnexpectedAnswer (permanently); NotYet, MarketplaceTrouble (again later).
        """
        ...


def read_sales(entries: list[Any], read: Callable[[Any], Sale]) -> tuple[list[Sale], list[dict[str, str]]]:
    """Entries of an answer as sales, and those that could not be read."""
    sales, refused = [], []
    for entry in entries:
        try:
            if "\\u0000" in json.dumps(entry):
                raise ValueError("it holds a NUL character, which cannot be stored")
            sales.append(_checked(read(entry)))
        except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            refused.append({"entry": str(entry)[:200].replace("\0", ""), "reason": f"{type(error).__name__}: {error}"})
    return sales, refused


def _checked(sale: Sale) -> Sale:
    """A few characters may stand for an amount of a million digits, or for none at all."""
    if not sale.amount.is_finite() or abs(sale.amount.adjusted()) > MOST_DIGITS:
        raise ValueError(f"{str(sale.amount)[:50]} is no amount")
    return sale


async def _read_bounded(response: aiohttp.ClientResponse, name: str) -> bytes:
    """The answer, unpacked as far as the bound: a few KB of gzip may stand for many GB."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > ANSWERED.size:
            raise UnexpectedAnswer(f"{name} answers more than {ANSWERED.size:,} bytes at once")
    return bytes(body)


async def get_json(session: aiohttp.ClientSession, name: str, url: str, token: str, params: dict[str, str]) -> Any:
    """GET a page of an API with a bearer token. Raises as `Marketplace.pages`."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    limit = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
    async with session.get(url, params=params, headers=headers, timeout=limit, allow_redirects=False) as response:
        if response.status == 401:
            raise TokenRefused(f"{name} does not take the token (401): it is wrong, or it has expired; set a new one")
        if response.status == 403:
            raise TokenRefused(
                f"{name} takes the token, but it lacks the permission to read sales (403); make one that has it"
            )
        if response.status == 429:
            wait_s = retry_after_s(response.headers.get("Retry-After"))
            wait_s = min(DEFAULT_WAIT_S if wait_s is None else wait_s, LONGEST_WAIT_S)
            raise NotYet(wait_s, f"{name} asks to wait {wait_s:g} s (429)")
        if response.status >= 500:
            raise MarketplaceTrouble(f"{name} answers {response.status} {response.reason}")
        if response.status != 200:
            raise UnexpectedAnswer(f"{name} answers {response.status} {response.reason} at {url}")
        body = await _read_bounded(response, name)
        try:
            return read_bounded(body, Budget(ANSWERED))
        except ValueError as error:  # OverBudget is one
            raise MarketplaceTrouble(f"{name} answers something that is not JSON, or too much: {error}") from error
