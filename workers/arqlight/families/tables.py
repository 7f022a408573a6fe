"""The tables of the task families, in a PostgreSQL schema of their own. `migrations/` makes them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

SCHEMA = "arqlight"
metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    },
)


def _moment(name: str, *, nullable: bool = False) -> Column[object]:
    """A time with its zone; now, where nothing else is said."""
    if nullable:
        return Column(name, DateTime(timezone=True))
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


email_templates = Table(
    "email_templates",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("version", Integer, nullable=False),  # the one that is sent
)
email_template_versions = Table(
    "email_template_versions",
    metadata,
    Column("name", String(100), ForeignKey(email_templates.c.name, ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("variables", ARRAY(Text), nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("created_by", Text, nullable=False),
    _moment("created_at"),
)
email_sends = Table(
    "email_sends",
    metadata,
    Column("key", Text, primary_key=True),  # the sender's idempotency key
    Column("job_id", Text, nullable=False),
    Column("message_id", Text),  # set when the server took the mail
    _moment("at"),
)

devices = Table(
    "devices",
    metadata,
    Column("fingerprint", String(64), primary_key=True),  # HMAC of what the SDK sent
    Column("product", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("events", BigInteger, nullable=False),
    _moment("first_seen"),
    _moment("last_seen"),
)
usage_daily = Table(
    "usage_daily",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("product", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("counter", Text, primary_key=True),
    Column("total", Numeric, nullable=False),
)
telemetry_events = Table(  # what was counted, so that nothing counts twice
    "telemetry_events",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("event_id", Text, primary_key=True),
    _moment("received_at"),
    Index(None, "received_at"),
)

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("url", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("event_types", ARRAY(Text), nullable=False),  # empty: all
    Column("secret", LargeBinary, nullable=False),  # encrypted
    Column("old_secret", LargeBinary),
    _moment("old_secret_until", nullable=True),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("disabled_reason", Text),
    Column("failures_in_a_row", Integer, nullable=False, server_default="0"),
    _moment("created_at"),
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
    _moment("at"),
    Index(None, "endpoint_id", "at"),
    Index(None, "at"),
)

licence_batches = Table(
    "licence_batches",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("product", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("made", Integer, nullable=False, server_default="0"),
    Column("state", String(20), nullable=False, server_default="waiting"),  # waiting, running, done, cancelled
    Column("job_id", Text),
    _moment("created_at"),
)
licences = Table(
    "licences",
    metadata,
    Column("batch_id", BigInteger, ForeignKey(licence_batches.c.id), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("product", Text, nullable=False),
    _moment("created_at"),
)
exports = Table(
    "exports",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("table_name", Text, nullable=False),
    Column("format", String(10), nullable=False),
    Column("state", String(20), nullable=False, server_default="waiting"),  # waiting, running, done, expired
    Column("path", Text),
    Column("rows", BigInteger, nullable=False, server_default="0"),
    Column("size_bytes", BigInteger),
    Column("sha256", String(64)),
    Column("job_id", Text),
    _moment("created_at"),
    _moment("expires_at", nullable=True),
)

sales = Table(
    "sales",
    metadata,
    Column("marketplace", String(40), primary_key=True),
    Column("sale_id", Text, primary_key=True),
    Column("product", Text, nullable=False),
    Column("buyer", Text, nullable=False, server_default=""),
    Column("amount", Numeric, nullable=False),
    Column("currency", String(8), nullable=False),
    Column("licence", Text, nullable=False, server_default=""),
    Column("refunded", Boolean, nullable=False, server_default=false()),
    Column("sold_at", DateTime(timezone=True), nullable=False),
    Column("raw", JSONB, nullable=False),
    _moment("synced_at"),
    Index(None, "sold_at"),
)
sync_cursors = Table(
    "sync_cursors",
    metadata,
    Column("marketplace", String(40), primary_key=True),
    Column("cursor", Text, nullable=False),
    _moment("at"),
)
sync_runs = Table(
    "sync_runs",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("marketplace", String(40), nullable=False),
    Column("job_id", Text, nullable=False),
    Column("seen", Integer, nullable=False, server_default="0"),
    Column("new", Integer, nullable=False, server_default="0"),
    Column("changed", Integer, nullable=False, server_default="0"),
    Column("refused", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("error", Text),
    _moment("started_at"),
    _moment("finished_at", nullable=True),
    Index(None, "marketplace", "started_at"),
)
