"""Sync of marketplaces, against a server that answers as their documentation says."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from aiohttp.test_utils import TestServer

from arqlight.families.bulk.plain_value import plain_value
from arqlight.families.sync.marketplace import Sale, read_sales
from arqlight.families.sync.settings import SyncSettings
from arqlight.settings import load_settings
from tests.support.marketplaces import Marketplaces


@pytest.fixture
async def market() -> AsyncIterator[Marketplaces]:
    market = Marketplaces()
    async with TestServer(market.application()) as server:
        market.url = str(server.make_url(""))  # type: ignore[attr-defined]
        yield market


@pytest.mark.parametrize("token", ["secret-token\n", " secret-token", "secret token", "secret\x07token"])
def test_a_token_with_a_newline_is_refused_at_the_start_and_not_shown(token: str) -> None:
    with pytest.raises(Exception, match=r"ARQLIGHT_ENVATO_TOKEN: it (begins or ends|holds)") as refused:
        load_settings(envato_token=token).of(SyncSettings)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("amount", ["1E+100000", "-1E+40", "1E-100000", "NaN", "Infinity", "9" * 40])
def test_an_amount_that_is_none_is_refused_and_the_sales_beside_it_are_kept(amount: str) -> None:
    def read(entry: dict[str, str]) -> Sale:
        now = datetime.now(UTC)
        return Sale("1", "product", "", Decimal(entry["amount"]), "USD", "", False, now, {})

    sales, refused = read_sales([{"amount": amount}, {"amount": "12.50"}], read)
    assert [sale.amount for sale in sales] == [Decimal("12.50")]
    assert "is no amount" in refused[0]["reason"]


def test_an_exact_number_of_a_database_is_a_number_unless_it_is_endless() -> None:
    values = [Decimal("12"), Decimal("12.5"), Decimal("1E+999999999"), Decimal("NaN"), Decimal("Infinity")]
    shown = json.loads(json.dumps(values, default=plain_value))
    assert shown == [12, 12.5, "1E+999999999", "NaN", "Infinity"]
