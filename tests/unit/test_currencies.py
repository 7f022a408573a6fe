"""Money as whole numbers of the minor unit: the whole of ISO 4217, exactly, within 64 bit."""

import csv
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arqlight.families.sync.currencies import LARGEST_AMOUNT, decimals, minor_units, shown_amount, whole_units
from tests.conftest import ROOT

LIST_ONE = ROOT / "tests" / "support" / "iso_4217.csv"


def test_every_currency_of_the_standard_has_its_decimals_and_what_has_none_is_no_currency() -> None:
    rows = list(csv.DictReader(LIST_ONE.open()))
    assert len(rows) > 170
    for row in rows:
        if row["minor_unit"] == "-":
            with pytest.raises(ValueError, match="no currency"):
                decimals(row["code"])
        else:
            assert decimals(row["code"]) == int(row["minor_unit"]), row["code"]


@pytest.mark.parametrize(("code", "places"), [("JPY", 0), ("KRW", 0), ("EUR", 2), ("KWD", 3), ("CLF", 4), ("HRK", 2)])
def test_some_that_everybody_knows(code: str, places: int) -> None:
    assert decimals(code) == places


@pytest.mark.parametrize("code", ["", "usd", "EURO", "$", "XXX", "XAU", "ABC"])
def test_a_currency_that_does_not_exist_is_refused_by_name(code: str) -> None:
    with pytest.raises(ValueError, match="is no currency of ISO 4217"):
        minor_units("1", code)


@pytest.mark.parametrize(
    ("amount", "code", "minor"),
    [("19.99", "EUR", 1999), ("1500", "JPY", 1500), ("1.234", "KWD", 1234), (29, "USD", 2900), ("-7.5", "USD", -750),
     (19.99, "USD", 1999), ("92233720368547758.07", "USD", LARGEST_AMOUNT), ("0", "USD", 0), (" 3 ", "USD", 300)],
)  # fmt: skip
def test_an_amount_becomes_its_minor_units(amount: Any, code: str, minor: int) -> None:
    assert minor_units(amount, code) == minor


@pytest.mark.parametrize(
    "amount",
    ["1E+100000", "-1E+40", "1E-100000", "NaN", "Infinity", "9" * 40, "0.001", "92233720368547758.08", "", "many", None,
     True, [], {}, "1,5"],
)  # fmt: skip
def test_an_amount_that_is_none_or_does_not_fit_is_refused(amount: Any) -> None:
    with pytest.raises(ValueError, match=r"is no amount|beyond 64 bit|no whole number"):
        minor_units(amount, "USD")


@pytest.mark.parametrize("amount", [2**63, -(2**63), 10**4200, "1.5", True, None])
def test_minor_units_that_are_none_are_refused(amount: Any) -> None:
    with pytest.raises(ValueError, match=r"is no amount|beyond 64 bit|no whole number"):
        whole_units(amount, "USD")


@given(st.integers(-LARGEST_AMOUNT, LARGEST_AMOUNT), st.sampled_from(["JPY", "EUR", "KWD", "CLF"]))
def test_what_is_shown_reads_back_as_the_same_amount(amount: int, code: str) -> None:
    number, shown_code = shown_amount(amount, code).split(" ")
    assert shown_code == code
    assert minor_units(Decimal(number), code) == amount
