"""What the API answers of webhooks."""

from arqlight_service.api.shapes.answer import Answer, Moment


class Endpoint(Answer):
    """Where events are delivered to."""

    id: str
    url: str
    description: str
    event_types: list[str]
    """Empty takes all."""
    enabled: bool
    disabled_reason: str | None
    failures_in_a_row: int
    created_at: Moment
    old_secret_until: Moment | None
    """Until then the secret before the last rotation signs as well."""


class NewEndpointAnswer(Endpoint):
    """An endpoint that was registered."""

    secret: str
    """What signs its deliveries; shown this once."""


class RotatedSecret(Answer):
    """A new secret."""

    id: str
    secret: str
    """Shown this once."""
    overlap_s: float


class Delivery(Answer):
    """An attempt to deliver a message."""

    id: int
    endpoint_id: str
    message_id: str
    event: str
    attempt: int
    job_id: str
    status: int | None
    """Of the answer; null when none came."""
    error: str | None
    answer: str
    """The first bytes of it."""
    duration_ms: int
    at: Moment


class Removed(Answer):
    """It is gone."""
