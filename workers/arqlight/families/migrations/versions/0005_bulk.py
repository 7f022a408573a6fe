"""random ids of batches, the database each was requested in, keys and reasons of bulk operations"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE arqlight.licence_batches ALTER COLUMN id DROP IDENTITY")
    op.add_column("licence_batches", sa.Column("made_in", sa.Text(), nullable=True), schema="arqlight")
    for table in ("licence_batches", "exports"):
        op.add_column(table, sa.Column("reason", sa.Text(), nullable=True), schema="arqlight")
        op.add_column(table, sa.Column("idempotency_key", sa.Text(), nullable=True), schema="arqlight")
        op.create_unique_constraint(op.f(f"uq_{table}_idempotency_key"), table, ["idempotency_key"], schema="arqlight")
        op.create_index(op.f(f"ix_{table}_created_at"), table, ["created_at"], schema="arqlight")
    op.add_column("exports", sa.Column("batch_id", sa.BigInteger(), nullable=True), schema="arqlight")
