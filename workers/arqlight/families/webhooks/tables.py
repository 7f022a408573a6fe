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
    Column("secret", LargeBinary, nullable=False),  # encrypted
    Column("old_secret", LargeBinary),
    moment("old_secret_until", nullable=True),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("disabled_reason", Text),
    Column("failures_in_a_row", Integer, nullable=False, server_default="0"),
    moment("created_at"),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("endpoint_id", String(40), ForeignKey(webhook_endpoints.c.id, ondelete="CASCADE"), nullable=False),
    Column("message_id", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("body", Text, nullable=False),  # as it was signed, for a resend
    Column("attempt", Integer, nullable=False),
    Column("job_id", Text, nullable=False),
    Column("status", Integer),  # of the answer; none when no answer came
    Column("error", Text),
    Column("answer", Text, nullable=False, server_default=""),
    Column("duration_ms", Integer, nullable=False),
    moment("at"),
    Index(None, "endpoint_id", "at"),
    Index(None, "at"),
)

# What can be exported, by the name people see.
EXPORTS = {"deliveries": webhook_deliveries}
