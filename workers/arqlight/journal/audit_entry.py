"""An entry of the audit list: who did what, from where, from what to what, and how it ended."""

import json
import secrets
from dataclasses import dataclass
from typing import Any, Literal, get_args

from arq.utils import timestamp_ms

from arqlight.jobs.display import iso
from arqlight.jobs.secret_texts import hide_within

# Kept apart, each with a bound of its own, so that none pushes another out: what was changed; what programs send all
# day (jobs, events, telemetry, tests); who came and went; secrets that were handed out; and whatever was refused.
Kind = Literal["change", "routine", "sign-in", "secret", "refused"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LONGEST_TEXT = 500
LARGEST_VALUE = 2_000  # characters of JSON
ID_DIGITS = 13


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry. Ids sort by time; `address` is "" where none is known."""

    id: str
    at: str
    kind: Kind
    who: str
    address: str
    what: str
    before: Any
    after: Any
    result: str

    def to_json(self) -> dict[str, Any]:
        """As it is kept, shown and logged."""
        return {
            "id": self.id, "at": self.at, "kind": self.kind, "who": self.who, "address": self.address,
            "what": self.what, "from": self.before, "to": self.after, "result": self.result,
        }  # fmt: skip


def new_entry(
    kind: Kind, who: str, what: str, *, address: str = "", before: Any = None, after: Any = None, result: str = "done"
) -> AuditEntry:
    """An entry of now, without secrets, and no longer than it has to be."""
    now = timestamp_ms()
    texts = (hide_within(text[:LONGEST_TEXT]) for text in (who, address, what, result))
    who, address, what, result = texts
    return AuditEntry(
        f"{id_at(now)}-{secrets.token_hex(4)}", iso(now), kind, who, address, what, _bounded(before), _bounded(after),
        result,
    )  # fmt: skip


def read_entry(told: dict[str, Any]) -> AuditEntry:
    """One as `to_json` wrote it."""
    return AuditEntry(
        told["id"], told["at"], told["kind"], told["who"], told["address"], told["what"], told["from"], told["to"],
        told["result"],
    )  # fmt: skip


def id_at(ms: int) -> str:
    """What ids of that moment begin with, and what sorts before each of them."""
    return f"{max(0, ms):0{ID_DIGITS}d}"


def _bounded(value: Any) -> Any:
    value = hide_within(value)
    text = json.dumps(value, default=str)
    return value if len(text) <= LARGEST_VALUE else {"shortened": text[:LARGEST_VALUE]}
