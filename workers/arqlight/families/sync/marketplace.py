"""What a marketplace is: a plug-in that reads one page of its list of sales at a time.

The group of entry points `arqlight.marketplaces` names them, ours and anybody's: docs/marketplaces.md is the guide.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import aiohttp

from arqlight.checked_fields import Secret
from arqlight.errors import PermanentFailure
from arqlight.families.sync.sale import Page, Refund, Sale
from arqlight.family import load_plug_ins
from arqlight.settings import Settings

GROUP = "arqlight.marketplaces"


class UnknownMarketplace(PermanentFailure):
    """No marketplace of this name."""


class Reader(Protocol):
    """A marketplace's list, open for reading."""

    async def read(self, key: str | None, since: datetime | None) -> Page:
        """The page of that key, which an earlier page named as `following`; None is the first page.

        Sales come newest first. `since` may be passed on to a marketplace that can filter; the reading stops by itself
        at a page that is older.

        Raises TokenMissing, TokenRefused, UnexpectedAnswer (permanently); NotYet, MarketplaceTrouble (again later).
        """
        ...


Event = Sale | Refund | None
"""What a webhook of a marketplace says; None for an event that is about no sale."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """How a marketplace tells of sales by itself.

    :param secret: what signs its requests, from the settings; None when none is set.
    :param check: whether a signature is that of a body: `(secret, body, headers) -> bool`, in constant time.
    :param read: what a body says; raises ValueError for one that cannot be used.
    """

    secret: Callable[[Settings], Secret | None]
    check: Callable[[str, bytes, Mapping[str, str]], bool]
    read: Callable[[bytes], Event]


@dataclass(frozen=True, slots=True)
class Marketplace:
    """A marketplace whose sales are synced.

    :param name: in addresses and in the table of sales; lower case.
    :param title: as people know it.
    :param token: what may read its sales, from the settings; None when none is set.
    :param token_setting: the environment variable that holds it.
    :param reader: opens its list for reading.
    :param shifts: whether its pages are numbered: an entry that goes away moves all behind it one place forward, and
        one of them from a page that is still to be read onto one that was read. Such pages are looked at twice.
    :param ends_empty: whether its list ends with an empty page; two in a row are then the end.
    :param pages_a_minute: how fast it is read at most, over all workers.
    :param minute: of the hour at which it is synced.
    """

    name: str
    title: str
    token: Callable[[Settings], Secret | None]
    token_setting: str
    reader: Callable[[aiohttp.ClientSession, Settings], Reader]
    shifts: bool = False
    ends_empty: bool = False
    pages_a_minute: int = 60
    minute: int = 7
    webhook: Webhook | None = None


@functools.cache
def marketplaces() -> dict[str, Marketplace]:
    """Every marketplace that an installed package offers, by name. Raises SettingsError for one that is made wrong."""
    return load_plug_ins(GROUP, Marketplace, what="marketplace")


def find_marketplace(name: str) -> Marketplace:
    """The marketplace of that name. Raises UnknownMarketplace."""
    found = marketplaces().get(name)
    if found is None:
        raise UnknownMarketplace(f"no marketplace {name[:50]!r}; there are {', '.join(marketplaces())}")
    return found
