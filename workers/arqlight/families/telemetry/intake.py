"""Takes batches of events from SDKs: each is checked by itself, and its fingerprint hashed before it goes further.

Clocks of customers are wrong. A batch says when its sender thinks it was sent; what that is off by is taken off each
event's time. An event without a usable time counts as now.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from arqlight.families.telemetry.extra_fields import LARGEST, Declared, of_product, trouble_with
from arqlight.key_ring import KeyRing

MOST_EVENTS = 1000
MOST_COUNTERS = 50
MOST_DROPPED = 100  # that are named
LATEST = timedelta(days=7)  # later ones are refused: by then nobody remembers which ids were counted
SKEW_NOTED = timedelta(seconds=30)
FUTURE_ALLOWED = timedelta(minutes=5)
LONGEST = {"id": 100, "device": 500, "product": 100, "version": 50}
LONGEST_PERSON = 300
OWN = frozenset({*LONGEST, "person", "counters", "at"})


@dataclass(slots=True)
class Intake:
    """What became of a batch. `events` are ready for `fold_telemetry`."""

    events: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    dropped: dict[tuple[str, str], int] = field(default_factory=dict)
    adjusted: int = 0
    skew_s: float = 0.0

    def note_dropped(self, name: str, reason: str) -> None:
        """Count an extra field of an event that was not kept."""
        key = (name[:100], reason)
        if key in self.dropped or len(self.dropped) < MOST_DROPPED:
            self.dropped[key] = self.dropped.get(key, 0) + 1

    def to_json(self) -> dict[str, Any]:
        """The answer to the SDK."""
        clock = {"skew_s": round(self.skew_s, 3), "adjusted": self.adjusted}
        dropped = [{"field": name, "reason": why, "events": number} for (name, why), number in self.dropped.items()]
        return {"accepted": len(self.events), "refused": self.refused, "dropped": dropped, "clock": clock}


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An event of a batch that is no JSON, and why."""

    reason: str


class _Refused(Exception):
    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


class Hasher:
    """Fingerprints as they are stored: HMAC-SHA256 with a key of this installation."""

    def __init__(self, keys: KeyRing) -> None:
        self._key = keys.derive("device fingerprints")
        self._persons_key = keys.derive("telemetry persons")

    def __call__(self, device: str) -> str:
        return hmac.new(self._key, device.encode(), hashlib.sha256).hexdigest()

    def person(self, person: str) -> str:
        """Of a person, in whatever case the name or address is written."""
        return hmac.new(self._persons_key, person.strip().casefold().encode(), hashlib.sha256).hexdigest()


def take_in(
    events: list[Any],
    sent_at: datetime | None,
    received_at: datetime,
    hasher: Hasher,
    declared: Declared | None = None,
) -> Intake:
    """Check each of `events`; the clock's skew is what `sent_at`, the sender's time, is off by.

    :param declared: the extra fields that are kept, by product; the others are counted in `dropped`.
    """
    intake = Intake()
    skew = received_at - sent_at if sent_at else timedelta()
    if abs(skew) < SKEW_NOTED:  # the way through the network, not the clock
        skew = timedelta()
    intake.skew_s = skew.total_seconds()
    for place, event in enumerate(events):
        try:
            taken, is_adjusted = _check(event, skew, received_at, hasher)
        except _Refused as refusal:
            given = event.get("id") if isinstance(event, dict) else None
            shown = given[:100] if isinstance(given, str) else None
            intake.refused.append({"index": place, "id": shown, "field": refusal.name, "reason": str(refusal)})
        else:
            taken["fields"] = _extra_fields(event, declared or {}, intake)
            intake.events.append(taken)
            intake.adjusted += is_adjusted
    return intake


def _check(event: Any, skew: timedelta, received_at: datetime, hasher: Hasher) -> tuple[dict[str, Any], bool]:
    if isinstance(event, Unreadable):
        raise _Refused("event", f"it cannot be read: {event.reason}")
    if not isinstance(event, dict):
        raise _Refused("event", f"it is a {type(event).__name__}, not an object")
    texts = {name: _text(event, name, longest) for name, longest in LONGEST.items()}
    person = None if event.get("person") is None else _text(event, "person", LONGEST_PERSON)
    at, is_adjusted = _time(event.get("at"), skew, received_at)
    told = {
        "id": texts["id"],
        "fingerprint": hasher(texts["device"]),
        "person": None if person is None else hasher.person(person),
        "product": texts["product"],
        "version": texts["version"],
        "counters": _counters(event.get("counters", {})),
        "at": at.isoformat(),
    }
    return told, is_adjusted


def _extra_fields(event: dict[str, Any], declared: Declared, intake: Intake) -> dict[str, Any]:
    """Those that are declared, and are what they are declared to be."""
    kept: dict[str, Any] = {}
    known = of_product(declared, event["product"])
    for name in event.keys() - OWN:
        kind = known.get(name)
        reason = trouble_with(event[name], kind) if kind else "it is not declared (ARQLIGHT_TELEMETRY_FIELDS)"
        if reason:
            intake.note_dropped(name, reason)
        else:
            kept[name] = event[name]
    return kept


def _text(event: dict[str, Any], name: str, longest: int) -> str:
    value = event.get(name)
    if not isinstance(value, str):
        raise _Refused(name, "it is missing" if value is None else f"it is a {type(value).__name__}, not a text")
    if not 0 < len(value) <= longest:
        raise _Refused(name, f"it has {len(value)} characters; give 1 to {longest}")
    if not value.isprintable():
        raise _Refused(name, "it holds control characters or text that is not valid Unicode")
    return value


def _time(text: Any, skew: timedelta, received_at: datetime) -> tuple[datetime, bool]:
    """When it happened by our clock, and whether that is another time than the sender's."""
    if text is None:
        return received_at, True
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        shown = repr(text[:50]) if isinstance(text, str) else f"a {type(text).__name__}"
        raise _Refused("at", f"{shown} is not an ISO 8601 time, such as 2026-01-31T12:00:00Z") from None
    try:
        shifted = (at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)) + skew
    except OverflowError:
        raise _Refused("at", "it is out of range") from None
    if shifted > received_at + FUTURE_ALLOWED:
        return received_at, True
    if shifted < received_at - LATEST:
        raise _Refused("at", f"it is {(received_at - shifted).days} days old; {LATEST.days} are taken at most")
    return min(shifted, received_at), bool(skew) or shifted > received_at


def _counters(counters: Any) -> dict[str, float]:
    if not isinstance(counters, dict):
        raise _Refused("counters", f"it is a {type(counters).__name__}, not an object")
    if len(counters) > MOST_COUNTERS:
        raise _Refused("counters", f"{len(counters)} are too many; {MOST_COUNTERS} at most")
    for name, value in counters.items():
        if not (0 < len(name) <= 100 and name.isprintable()):
            raise _Refused("counters", f"the name {name[:100]!r} is empty, too long or not printable")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _Refused(f"counters.{name}", f"it is a {type(value).__name__}, not a number")
        if not 0 <= value <= LARGEST:  # nor is NaN; a whole number of any size can be compared
            raise _Refused(f"counters.{name}", f"{_shown(value)} is not between 0 and 1e15")
    return counters


def _shown(number: float) -> str:
    """A number in a sentence; Python writes no whole number of more than 4300 digits."""
    if isinstance(number, int) and number.bit_length() > 64:
        return f"a whole number of {number.bit_length():,} bits"
    return str(number)
