"""The tables of the sync of marketplaces."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    Numeric,
    String,
    Table,
    Text,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from arqlight.families.metadata import metadata, moment

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
    moment("synced_at"),
    Index(None, "sold_at"),
)

sync_cursors = Table(
    "sync_cursors",
    metadata,
    Column("marketplace", String(40), primary_key=True),
    Column("cursor", Text, nullable=False),
    moment("at"),
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
    moment("started_at"),
    moment("finished_at", nullable=True),
    Index(None, "marketplace", "started_at"),
)

# What can be exported, by the name people see.
EXPORTS = {"sales": sales}
