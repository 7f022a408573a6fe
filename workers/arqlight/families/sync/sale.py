"""What a marketplace says of a sale, in the words of all marketplaces, and how entries of an answer become that."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

State = Literal["paid", "partially_refunded", "refunded", "disputed", "missing"]
LONGEST_ID = 200  # characters: it is a key of the table
LONGEST_TEXT = 2_000
LONGEST_ENTRY = 200  # characters of a refused entry that are kept
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # as json writes it; a backslash before it is text


@dataclass(frozen=True, slots=True)
class Sale:
    """One sale. Amounts are whole numbers of the currency's minor unit (`currencies.py`).

    :param changed_at: when the marketplace changed it last, where it tells: an older word never replaces a newer one.
    :param raw: the entry as the marketplace gave it, without secrets.
    """

    id: str
    product: str
    buyer: str
    amount_minor: int
    currency: str
    licence: str
    sold_at: datetime
    raw: dict[str, Any]
    refunded_minor: int = 0
    state: State = "paid"
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """That a sale was refunded or disputed, told without the sale; kept until the sale is known."""

    sale_id: str
    refunded_minor: int
    state: State
    at: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry that cannot be used, shortened, and why."""

    entry: str
    reason: str

    def to_json(self) -> dict[str, str]:
        """As the report keeps it."""
        return {"entry": self.entry, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a marketplace's list.

    :param following: the key of the next page; None on the last one.
    :param entries: how many entries the marketplace gave; those that are no sale (not paid yet) are in no list.
    :param total: how many entries the whole list has, where the marketplace tells.
    """

    sales: list[Sale]
    following: str | None
    entries: int
    refused: list[Refused] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    total: int | None = None


def refund_state(amount_minor: int, refunded_minor: int, *, disputed: bool = False) -> State:
    """What a sale is after so much of it was refunded. A dispute that is open or lost counts before all else."""
    if disputed:
        return "disputed"
    if refunded_minor <= 0:
        return "paid"
    return "refunded" if refunded_minor >= amount_minor else "partially_refunded"


def named(value: Any, what: str) -> str:
    """A text that has to be there. Raises ValueError."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"it has no {what}")
    return value


def moment_of(text: Any, name: str) -> datetime:
    """A time with its zone, in UTC. Raises ValueError, OverflowError for one that no calendar has."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{name} {text!r} has no time zone")
    return moment.astimezone(UTC)


def read_entries(
    entries: list[Any], read: Callable[[Any], Sale | Refund | None]
) -> tuple[list[Sale], list[Refund], list[Refused]]:
    """Entries of an answer as sales and refunds, and those that could not be read; None is neither (not paid yet)."""
    sales: list[Sale] = []
    refunds: list[Refund] = []
    refused: list[Refused] = []
    for entry in entries:
        try:
            _check_storable(entry)
            found = read(entry)
            if isinstance(found, Sale):
                sales.append(_checked(found))
            elif found is not None:
                _check_id(found.sale_id)
                refunds.append(found)
        except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            refused.append(Refused(_shown(entry), f"{type(error).__name__}: {str(error)[:500]}"))
    return sales, refunds, refused


def _check_storable(entry: Any) -> None:
    """What PostgreSQL cannot keep would cost the whole page."""
    if not isinstance(entry, dict):
        raise TypeError(f"it is a {type(entry).__name__}, not an object")
    written = json.dumps(entry, ensure_ascii=False, allow_nan=False)  # ValueError for a number that is none
    if _NUL.search(written):
        raise ValueError("it holds a NUL character, which cannot be stored")
    written.encode()  # UnicodeEncodeError, a ValueError, for half a character


def _checked(sale: Sale) -> Sale:
    _check_id(sale.id)
    for name in ("product", "buyer", "licence"):
        if len(getattr(sale, name)) > LONGEST_TEXT:
            raise ValueError(f"{name} has more than {LONGEST_TEXT:,} characters")
    if sale.refunded_minor < 0:
        raise ValueError(f"{sale.refunded_minor} is no refunded amount")
    return sale


def _check_id(sale_id: str) -> None:
    if not 0 < len(sale_id) <= LONGEST_ID:
        raise ValueError(f"its id has {len(sale_id):,} characters, not 1 to {LONGEST_ID}")


def _shown(entry: Any) -> str:
    return str(entry)[:LONGEST_ENTRY].replace("\0", "").encode("utf-8", "replace").decode()
