"""The tables of e-mail."""

from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, Table, Text, true
from sqlalchemy.dialects.postgresql import ARRAY

from arqlight.families.metadata import metadata, moment

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
    Column("sender", Text, nullable=False, server_default=""),
    Column("reply_to", Text, nullable=False, server_default=""),
    Column("transactional", Boolean, nullable=False, server_default=true()),
    Column("note", Text, nullable=False, server_default=""),
    Column("created_by", Text, nullable=False),
    moment("created_at"),
)

email_sends = Table(
    "email_sends",
    metadata,
    Column("key", Text, primary_key=True),  # the sender's idempotency key
    Column("job_id", Text, nullable=False),
    Column("message_id", Text),  # set when the server took the mail
    moment("at"),
)

email_suppressions = Table(
    "email_suppressions",
    metadata,
    Column("address", Text, primary_key=True),  # as `suppressions.listed_as` writes it
    Column("reason", String(20), nullable=False),  # refused, bounced, complained, unsubscribed, manual
    Column("detail", Text, nullable=False, server_default=""),
    Column("added_by", Text, nullable=False),
    moment("at"),
)
