"""The tables of telemetry."""

from sqlalchemy import BigInteger, Column, Date, Index, Numeric, String, Table, Text

from arqlight.families.metadata import metadata, moment

devices = Table(
    "devices",
    metadata,
    Column("fingerprint", String(64), primary_key=True),  # HMAC of what the SDK sent
    Column("product", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("events", BigInteger, nullable=False),
    moment("first_seen"),
    moment("last_seen"),
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
    Column("product", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    moment("received_at"),
    Index(None, "received_at"),
)

# What can be exported, by the name people see.
EXPORTS = {"devices": devices, "usage": usage_daily}
