"""The tables of the sync of marketplaces."""

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, Integer, String, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from arqlight.families.metadata import metadata, moment

_NO_ENTRIES = text("'[]'::jsonb")

sales = Table(
    "sales",
    metadata,
    Column("marketplace", String(40), primary_key=True),
    Column("sale_id", Text, primary_key=True),
    Column("product", Text, nullable=False),
    Column("buyer", Text, nullable=False, server_default=""),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("refunded_minor", BigInteger, nullable=False, server_default="0"),
    Column("state", String(20), nullable=False, server_default="paid"),
    Column("licence", Text, nullable=False, server_default=""),
    Column("sold_at", DateTime(timezone=True), nullable=False),
    moment("changed_at", nullable=True),
    Column("raw", JSONB, nullable=False),
    Column("seen_by", BigInteger),  # the run that saw it last
    moment("synced_at"),
    Index(None, "sold_at"),
)

# Refunds that came before their sale.
sync_refunds = Table(
    "sync_refunds",
    metadata,
    Column("marketplace", String(40), primary_key=True),
    Column("sale_id", Text, primary_key=True),
    Column("refunded_minor", BigInteger, nullable=False),
    Column("state", String(20), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)

sync_runs = Table(
    "sync_runs",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("marketplace", String(40), nullable=False),
    Column("kind", String(20), nullable=False, server_default="incremental"),
    Column("state", String(20), nullable=False, server_default="running"),
    Column("reason", Text),
    Column("job_id", Text, nullable=False),
    Column("since", DateTime(timezone=True)),
    Column("place", JSONB),  # a `paging.Place`; null before the first page, and where a run cannot be continued
    Column("pages", Integer, nullable=False, server_default="0"),
    Column("seen", Integer, nullable=False, server_default="0"),
    Column("new", Integer, nullable=False, server_default="0"),
    Column("changed", Integer, nullable=False, server_default="0"),
    Column("vanished", Integer, nullable=False, server_default="0"),
    Column("refused_count", Integer, nullable=False, server_default="0"),
    Column("refused", JSONB, nullable=False, server_default=_NO_ENTRIES),
    Column("differences", JSONB, nullable=False, server_default=_NO_ENTRIES),
    moment("started_at"),
    moment("touched_at"),
    moment("resume_at", nullable=True),
    moment("finished_at", nullable=True),
    Index(None, "marketplace", "started_at"),
)

# What can be exported, by the name people see.
EXPORTS = {"sales": sales}
