"""The tables of bulk operations."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

from arqlight.families.metadata import metadata, moment

licence_batches = Table(
    "licence_batches",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),  # random; below 2³² from before it was
    Column("product", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("made", Integer, nullable=False, server_default="0"),
    # waiting, running, done, failed, cancelled
    Column("state", String(20), nullable=False, server_default="waiting"),
    Column("reason", Text),  # why it waits, failed or was cancelled
    Column("job_id", Text),
    Column("idempotency_key", Text, unique=True),
    Column("made_in", Text),  # the database it was requested in (see `origin.py`)
    moment("created_at"),
    Index(None, "created_at"),
)

licences = Table(
    "licences",
    metadata,
    Column("batch_id", BigInteger, ForeignKey(licence_batches.c.id), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("product", Text, nullable=False),
    moment("created_at"),
)

exports = Table(
    "exports",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("table_name", Text, nullable=False),
    Column("format", String(10), nullable=False),
    Column("batch_id", BigInteger),  # of which batch alone, where not of the whole table
    # waiting, running, done, failed, cancelled, expired
    Column("state", String(20), nullable=False, server_default="waiting"),
    Column("reason", Text),
    Column("path", Text),
    Column("rows", BigInteger, nullable=False, server_default="0"),
    Column("size_bytes", BigInteger),
    Column("sha256", String(64)),
    Column("job_id", Text),
    Column("idempotency_key", Text, unique=True),
    moment("created_at"),
    moment("expires_at", nullable=True),
    Index(None, "created_at"),
)

# What can be exported, by the name people see.
EXPORTS = {"licences": licences}
