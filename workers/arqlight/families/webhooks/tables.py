"""The tables of webhooks."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from arqlight.families.metadata import metadata, moment

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("url", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("event_types", ARRAY(Text), nullable=False),  # empty: all
    Column("customer", Text),  # whose it is; none: the platform's own
    Column("contact", Text),  # e-mail address of who is told that it fails
    Column("ordering", String(10), nullable=False, server_default="none"),  # none, endpoint, customer
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("disabled_reason", Text),
    Column("failures_in_a_row", Integer, nullable=False, server_default="0"),
    moment("failing_since", nullable=True),
    moment("warned_at", nullable=True),
    Column("unanswered", Integer, nullable=False, server_default="0"),  # the circuit breaker, see rules/breaker.py
    moment("paused_until", nullable=True),
    moment("created_at"),
)

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("endpoint_id", String(40), ForeignKey(webhook_endpoints.c.id, ondelete="CASCADE"), nullable=False),
    Column("secret", LargeBinary, nullable=False),  # encrypted
    moment("until", nullable=True),  # none: the current one
    Index(None, "endpoint_id"),
)

webhook_events = Table(
    "webhook_events",
    metadata,
    Column("id", Text, primary_key=True),  # of the message: its webhook-id
    Column("event", Text, nullable=False),
    Column("body", Text, nullable=False),  # as it is signed
    Column("customer", Text),
    moment("at"),
    Index(None, "at"),
)

# One event for one endpoint, and the last answer. `run` counts how often it was set going: a replay begins the next.
webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("endpoint_id", String(40), ForeignKey(webhook_endpoints.c.id, ondelete="CASCADE"), nullable=False),
    Column("message_id", Text, ForeignKey(webhook_events.c.id, ondelete="CASCADE"), nullable=False),
    Column("event", Text, nullable=False),
    Column("customer", Text),
    Column("state", String(10), nullable=False),  # pending, delivered, failed, held (the endpoint is off)
    Column("run", Integer, nullable=False, server_default="0"),
    moment("run_at"),
    moment("next_at", nullable=True),  # while it is pending
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("job_id", Text, nullable=False, server_default=""),
    Column("status", Integer),  # of the answer; none when no answer came
    Column("error", Text),
    Column("answer", Text, nullable=False, server_default=""),
    Column("duration_ms", Integer, nullable=False, server_default="0"),
    moment("at"),
    UniqueConstraint("endpoint_id", "message_id"),
    Index(None, "endpoint_id", "id"),
    Index(None, "message_id"),
    Index(None, "next_at", postgresql_where=text("state = 'pending'")),
)

webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("delivery_id", BigInteger, ForeignKey(webhook_deliveries.c.id, ondelete="CASCADE"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("job_id", Text, nullable=False),
    Column("status", Integer),
    Column("error", Text),
    Column("answer", Text, nullable=False, server_default=""),
    Column("duration_ms", Integer, nullable=False),
    moment("at"),
    Index(None, "delivery_id", "id"),
)

# Work on many deliveries. It looks at those up to the id `up_to`, and has done those up to `cursor`.
webhook_replays = Table(
    "webhook_replays",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("endpoint_id", String(40), ForeignKey(webhook_endpoints.c.id, ondelete="CASCADE"), nullable=False),
    Column("who", Text, nullable=False),
    Column("message_id", Text),
    moment("since", nullable=True),
    moment("until", nullable=True),
    Column("failed", Boolean, nullable=False),
    Column("up_to", BigInteger, nullable=False),
    Column("cursor", BigInteger, nullable=False, server_default="0"),
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("state", String(20), nullable=False, server_default="waiting"),  # waiting, running, done, cancelled
    Column("job_id", Text),
    moment("created_at"),
    Index(None, "endpoint_id", "id"),
)

# What can be exported, by the name people see.
EXPORTS = {"deliveries": webhook_deliveries, "events": webhook_events}
