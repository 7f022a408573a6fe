"""Alembic's environment for the audit list: one connection, given by `postgres.migrate`, which holds the lock."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table_schema=context.config.attributes["schema"],
)
with context.begin_transaction():
    context.run_migrations()
