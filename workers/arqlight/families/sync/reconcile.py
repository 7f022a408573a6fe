"""What becomes of a sale that is known when a marketplace speaks of it again. Decisions only, no I/O."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from arqlight.families.sync.currencies import shown_amount
from arqlight.families.sync.sale import Refund, Sale

COMPARED = ("product", "buyer", "amount_minor", "currency", "refunded_minor", "state", "licence", "sold_at")
_AMOUNTS = ("amount_minor", "refunded_minor")
_KNOWN_BY = ("product", "amount_minor", "state", "sold_at")  # what is told of a sale that is new or gone
_NOT_TOLD = ("buyer",)  # that it changed is told, not what it was
LONGEST_TOLD = 200
MANY_VANISHED = 10

Row = Mapping[str, Any]


def reconciled(known: Row | None, sale: Sale, refund: Refund | None = None) -> dict[str, Any] | None:
    """The columns to write; None where nothing changes, or the marketplace said something newer before.

    :param known: the row as it is.
    :param refund: one that came before the sale. It counts unless the sale was changed after it.
    """
    if known is not None and _is_older(sale.changed_at, known["changed_at"]):
        return None
    row = {name: getattr(sale, name) for name in (*COMPARED, "changed_at", "raw")}
    if refund is not None and not _is_older(refund.at, sale.changed_at):
        row |= _refunded(refund)
    if known is not None and all(known[name] == row[name] for name in COMPARED):
        return None
    return row


def refunded(known: Row, refund: Refund) -> dict[str, Any] | None:
    """The columns of a known sale that a refund changes; None where it changes nothing or is older."""
    if _is_older(refund.at, known["changed_at"]):
        return None
    row = _refunded(refund)
    return None if all(known[name] == row[name] for name in ("refunded_minor", "state")) else row


def difference(sale_id: str, before: Row | None, after: Row | None) -> dict[str, Any]:
    """A line of a run's report: `{"sale_id", "what": new, changed or vanished, "before", "after"}` of what differs."""
    what = "new" if before is None else "vanished" if after is None else "changed"
    if before is None:
        return {"sale_id": sale_id, "what": what, "before": {}, "after": _told(_KNOWN_BY, after or {})}
    if after is None:
        return {"sale_id": sale_id, "what": what, "before": _told(_KNOWN_BY, before), "after": {"state": "missing"}}
    differing = [name for name in COMPARED if name in after and before[name] != after[name]]
    merged = {**before, **after}
    return {
        "sale_id": sale_id, "what": what, "before": _told(differing, before), "after": _told(differing, merged),
    }  # fmt: skip


def too_many_vanished(vanished: int, known: int) -> bool:
    """Whether so many are gone at once that the marketplace's list is doubted rather than they."""
    return vanished > MANY_VANISHED and vanished * 2 > known


def _refunded(refund: Refund) -> dict[str, Any]:
    return {"refunded_minor": refund.refunded_minor, "state": refund.state, "changed_at": refund.at}


def _is_older(this: datetime | None, that: datetime | None) -> bool:
    return this is not None and that is not None and this < that


def _told(names: Sequence[str], row: Row) -> dict[str, str]:
    return {name.removesuffix("_minor"): _shown(name, row) for name in names if name in row}


def _shown(name: str, row: Row) -> str:
    value = row[name]
    if name in _NOT_TOLD:
        return "…"
    if name in _AMOUNTS:
        return shown_amount(value, row["currency"])
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    return str(value)[:LONGEST_TOLD]
