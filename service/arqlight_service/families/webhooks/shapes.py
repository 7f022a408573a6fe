"""What the API answers of webhooks."""

from arqlight_service.api.shapes.answer import Answer, Moment
from arqlight_service.api.shapes.job import Enqueued


class Endpoint(Answer):
    """Where events are delivered to."""

    id: str
    url: str
    description: str
    event_types: list[str]
    """Empty takes all."""
    customer: str | None
    """Whose it is; null for the platform's own, which get the events of all."""
    contact: str | None
    """Mail address of who is told that it fails."""
    ordering: str
    """none, endpoint (one event after the other), customer (one after the other of each customer)."""
    enabled: bool
    disabled_reason: str | None
    failures_in_a_row: int
    failing_since: Moment | None
    """Since then nothing was taken."""
    owner_told_at: Moment | None
    """When its owner was told that it fails; only then it may be switched off."""
    paused_until: Moment | None
    """It did not answer several times in a row (circuit breaker): until then deliveries wait, and spend no try."""
    created_at: Moment
    old_secrets: int
    """How many secrets of before sign as well."""
    old_secret_until: Moment | None
    """When the last of them ends."""


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


class Attempted(Answer):
    """What came of an attempt."""

    attempt: int
    job_id: str
    status: int | None
    """Of the answer; null when none came."""
    error: str | None
    answer: str
    """The first bytes of it."""
    duration_ms: int
    at: Moment


class Delivery(Attempted):
    """An event for an endpoint, with its last attempt; `attempt` 0 before the first."""

    id: int
    endpoint_id: str
    message_id: str
    event: str
    customer: str | None
    state: str
    """pending, delivered, failed, held (the endpoint is off)."""
    next_at: Moment | None
    """When it is tried again, while it is pending."""


class Replay(Answer):
    """Deliveries that are set going once more."""

    id: int
    endpoint_id: str
    who: str
    message_id: str | None
    since: Moment | None
    until: Moment | None
    failed: bool
    """Only what was not delivered."""
    total: int
    done: int
    state: str
    """waiting, running, done, cancelled."""
    job_id: str | None
    created_at: Moment


class Sent(Enqueued):
    """An event that is kept, and the job that delivers it."""

    message_id: str
    """Its webhook-id."""


class Removed(Answer):
    """It is gone."""
