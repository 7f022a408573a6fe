"""What the API answers of telemetry."""

import datetime
from typing import Any

from arqlight_service.api.shapes.answer import Answer, Moment


class RefusedEvent(Answer):
    """An event that was not taken."""

    index: int
    """Its place in the batch."""
    id: str | None
    field: str
    reason: str


class DroppedField(Answer):
    """An extra field that was not kept; the events that had it were taken."""

    field: str
    reason: str
    events: int
    """How many events of the batch had it."""


class Clock(Answer):
    """How wrong the sender's clock is."""

    skew_s: float
    adjusted: int
    """Events whose time was changed."""


class Intake(Answer):
    """What became of a batch."""

    accepted: int
    refused: list[RefusedEvent]
    dropped: list[DroppedField]
    """At most 100 of them."""
    clock: Clock


class Device(Answer):
    """A device, and what it told of one product."""

    fingerprint: str
    """An HMAC of what the SDK sent as `device`."""
    product: str
    version: str
    fields: dict[str, Any]
    """The extra fields that are declared, as they were last told."""
    events: int
    first_seen: Moment
    last_seen: Moment


class Version(Answer):
    """A version of a product."""

    version: str
    devices: int


class Product(Answer):
    """A product on all devices."""

    product: str
    devices: int
    events: int
    first_seen: Moment
    last_seen: Moment
    versions: list[Version]
    """The 20 that most devices have."""


class Usage(Answer):
    """What one counter added up to on a day (UTC), on all devices with that version."""

    day: datetime.date
    product: str
    version: str
    counter: str
    total: float
    devices: int


class Merged(Answer):
    """Two devices that are one."""

    fingerprint: str
    into: str
    products: int
    usage: int
    """Rows of usage that went over."""


class Erased(Answer):
    """How much was erased."""

    fingerprints: list[str]
    """The devices it was kept for."""
    device: int
    usage: int
    person: int
    event_id: int


class Kept(Answer):
    """One row of what is kept of a device or person: the fields of its kind beside it."""

    kind: str
