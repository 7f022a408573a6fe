"""What the API answers of telemetry."""

from arqlight_service.api.shapes.answer import Answer


class RefusedEvent(Answer):
    """An event that was not taken."""

    index: int
    """Its place in the batch."""
    id: str | None
    field: str
    reason: str


class Clock(Answer):
    """How wrong the sender's clock is."""

    skew_s: float
    adjusted: int
    """Events whose time was changed."""


class Intake(Answer):
    """What became of a batch."""

    accepted: int
    refused: list[RefusedEvent]
    clock: Clock
