"""money in minor units, states of sales, runs that can be continued"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# What these were on the day of this migration; `currencies.py` may know more by now.
NO_DECIMALS = (
    "('BIF','BYR','CLP','DJF','GNF','ISK','JPY','KMF','KRW','PYG','RWF','UGX','UYI','VND','VUV','XAF','XOF','XPF')"
)
THREE_DECIMALS = "('BHD','IQD','JOD','KWD','LYD','OMR','TND')"
# Gumroad's symbols that were kept as they are, after their amounts had been divided by a hundred.
SYMBOLS = {
    "₩": "KRW",
    "HK$": "HKD",
    "SGD$": "SGD",
    "NT$": "TWD",
    "NZ$": "NZD",
    "R$": "BRL",
    "₪": "ILS",
    "₱": "PHP",
    "zł": "PLN",
    "Kč": "CZK",
}
LARGEST = 2**63 - 1


def upgrade() -> None:
    _sales()
    _runs()
    op.create_table(
        "sync_refunds",
        sa.Column("marketplace", sa.String(length=40), nullable=False),
        sa.Column("sale_id", sa.Text(), nullable=False),
        sa.Column("refunded_minor", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("marketplace", "sale_id", name=op.f("pk_sync_refunds")),
        schema="arqlight",
    )
    # A run reads from its predecessor's start on; nothing else is kept.
    op.drop_table("sync_cursors", schema="arqlight")


def _sales() -> None:
    for column in (
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("refunded_minor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("state", sa.String(length=20), server_default="paid", nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_by", sa.BigInteger(), nullable=True),
    ):
        op.add_column("sales", column, schema="arqlight")
    # Won had been divided by a hundred, as every currency but the yen. What is beyond 64 bit stays in `raw`.
    decimals = f"CASE WHEN currency IN {NO_DECIMALS} THEN 0 WHEN currency IN {THREE_DECIMALS} THEN 3 ELSE 2 END"
    op.execute(
        "UPDATE arqlight.sales SET amount_minor = "  # noqa: S608 - ours
        f"round(LEAST(GREATEST(amount * 10.0 ^ ({decimals}), -{LARGEST}), {LARGEST}))::bigint"
    )
    for symbol, code in SYMBOLS.items():
        op.execute(f"UPDATE arqlight.sales SET currency = '{code}' WHERE currency = '{symbol}'")  # noqa: S608 - ours
    op.execute("UPDATE arqlight.sales SET currency = 'XXX' WHERE currency !~ '^[A-Z]{3}$'")
    op.execute("UPDATE arqlight.sales SET state = 'refunded', refunded_minor = amount_minor WHERE refunded")
    op.alter_column("sales", "amount_minor", nullable=False, schema="arqlight")
    op.alter_column("sales", "currency", type_=sa.String(length=3), schema="arqlight")
    op.drop_column("sales", "amount", schema="arqlight")
    op.drop_column("sales", "refunded", schema="arqlight")


def _runs() -> None:
    none = sa.text("'[]'::jsonb")
    for column in (
        sa.Column("kind", sa.String(length=20), server_default="incremental", nullable=False),
        sa.Column("state", sa.String(length=20), server_default="running", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("place", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("pages", sa.Integer(), server_default="0", nullable=False),
        sa.Column("vanished", sa.Integer(), server_default="0", nullable=False),
        sa.Column("refused_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("differences", postgresql.JSONB(astext_type=sa.Text()), server_default=none, nullable=False),
        sa.Column("touched_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("resume_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("sync_runs", column, schema="arqlight")
    op.execute(
        "UPDATE arqlight.sync_runs SET reason = coalesce(error, CASE WHEN finished_at IS NULL THEN 'it was cut off' END), "
        "state = CASE WHEN error IS NULL AND finished_at IS NOT NULL THEN 'done' ELSE 'failed' END, "
        "refused_count = jsonb_array_length(refused), touched_at = coalesce(finished_at, started_at)"
    )
    op.drop_column("sync_runs", "error", schema="arqlight")
