"""The tables of telemetry."""

from sqlalchemy import BigInteger, Column, Date, Index, Numeric, String, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

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
    Column("fields", JSONB, nullable=False, server_default="{}"),  # the declared ones, as they were last told
    Index(None, "last_seen", "fingerprint", "product"),
)

usage_daily = Table(
    "usage_daily",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("product", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("counter", Text, primary_key=True),
    Column("total", Numeric, nullable=False),
    Index(None, "day", "product"),
)

telemetry_events = Table(  # what was counted, so that nothing counts twice; by the device that sent it, merged or not
    "telemetry_events",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("product", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    moment("received_at"),
    Index(None, "received_at"),
)

telemetry_persons = Table(  # who used which device
    "telemetry_persons",
    metadata,
    Column("person", String(64), primary_key=True),  # HMAC of what the SDK sent
    Column("fingerprint", String(64), primary_key=True),
    moment("last_seen"),
    Index(None, "fingerprint"),
)

telemetry_merges = Table(  # devices that are another one since they were merged
    "telemetry_merges",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    Column("into_fingerprint", String(64), nullable=False),
    moment("merged_at"),
    Index(None, "into_fingerprint"),
)

telemetry_erasures = Table(  # devices whose events from before are not counted, wherever they were on their way
    "telemetry_erasures",
    metadata,
    Column("fingerprint", String(64), primary_key=True),
    moment("erased_at"),
    Index(None, "erased_at"),
)

# What can be exported, by the name people see.
EXPORTS = {"devices": devices, "usage": usage_daily}
