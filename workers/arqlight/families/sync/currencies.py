"""ISO 4217: which currencies there are, and how many decimals each has.

Amounts are whole numbers of a currency's minor unit (cents, yen, fils) beside its code; nothing is ever rounded.
https://www.six-group.com/en/products-services/financial-information/market-reference-data/data-standards.html (list one
as of 2026-01-01, without metals, bond units and test codes, which have no minor unit; and from list three what was
withdrawn since 2010, for sales of that time are still listed). `tests/support/iso_4217.csv` holds list one.
"""

from decimal import Decimal, InvalidOperation

LARGEST_AMOUNT = 2**63 - 1  # of the minor unit: what a column of 64 bit holds

_CODES: dict[int, str] = {
    0: ("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF "),
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE "
        "CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD "
        "HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK "
        "MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD "
        "RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH "
        "USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG "
    ),
    3: ("BHD IQD JOD KWD LYD OMR TND "),
    4: ("CLF UYW "),
}
_WITHDRAWN: dict[int, str] = {0: "BYR", 2: "ANG BGN CUC EEK HRK LTL LVL MRO SLL STD VEF ZMK ZWL"}
_DECIMALS = {
    code: decimals for table in (_WITHDRAWN, _CODES) for decimals, codes in table.items() for code in codes.split()
}


def decimals(currency: str) -> int:
    """How many decimals amounts of a currency have: 0 for JPY, 2 for EUR, 3 for KWD. Raises ValueError."""
    found = _DECIMALS.get(currency)
    if found is None:
        raise ValueError(f"{currency[:20]!r} is no currency of ISO 4217")
    return found


def whole_units(amount: object, currency: str) -> int:
    """An amount that is given in the minor unit already (1999 for 19.99 EUR), checked.

    Raises ValueError for one that is no whole number or beyond 64 bit, and for an unknown currency.
    """
    decimals(currency)
    return _in_bounds(_exact(amount))


def minor_units(amount: object, currency: str) -> int:
    """An amount in the currency's main unit ("19.99" EUR) as a whole number of its minor unit (1999).

    Raises ValueError for one that is no amount, has more decimals than the currency, or is beyond 64 bit.
    """
    number = _exact(amount)
    if abs(number.adjusted()) > 40:  # a few characters may stand for a million digits
        raise ValueError(f"{str(amount)[:50]} is no amount")
    return _in_bounds(number.scaleb(decimals(currency)))


def shown_amount(amount: int, currency: str) -> str:
    """As people write it: `19.99 EUR`, `1500 JPY`."""
    places = _DECIMALS.get(currency, 0)
    return f"{Decimal(amount).scaleb(-places):.{places}f} {currency}"


def _exact(amount: object) -> Decimal:
    if isinstance(amount, bool) or not isinstance(amount, int | float | str | Decimal):
        raise ValueError(f"{str(amount)[:50]!r} is no amount")
    try:
        number = Decimal(str(amount).strip())
    except InvalidOperation:
        raise ValueError(f"{str(amount)[:50]!r} is no amount") from None
    if not number.is_finite():
        raise ValueError(f"{str(amount)[:50]!r} is no amount")
    return number


def _in_bounds(number: Decimal) -> int:
    if number.adjusted() > 20 or abs(number) > LARGEST_AMOUNT:
        raise ValueError(f"{str(number)[:50]} is beyond 64 bit")
    if number != number.to_integral_value():
        raise ValueError(f"{str(number)[:50]} is no whole number of the currency's minor unit")
    return int(number)
