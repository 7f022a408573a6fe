"""The tables of bulk operations."""

from sqlalchemy import BigInteger, Column, ForeignKey, Identity, Integer, String, Table, Text

from arqlight.families.metadata import metadata, moment

licence_batches = Table(
    "licence_batches",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("product", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("made", Integer, nullable=False, server_default="0"),
    Column("state", String(20), nullable=False, server_default="waiting"),  # waiting, running, done, cancelled
    Column("job_id", Text),
    moment("created_at"),
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
    Column("state", String(20), nullable=False, server_default="waiting"),  # waiting, running, done, expired
    Column("path", Text),
    Column("rows", BigInteger, nullable=False, server_default="0"),
    Column("size_bytes", BigInteger),
    Column("sha256", String(64)),
    Column("job_id", Text),
    moment("created_at"),
    moment("expires_at", nullable=True),
)

# What can be exported, by the name people see.
EXPORTS = {"licences": licences}
