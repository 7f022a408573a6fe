"""webhooks: events that are kept, a delivery for each endpoint, owners, several secrets, replays"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SCHEMA = "arqlight"


def upgrade() -> None:
    op.execute("CREATE TEMPORARY TABLE old_deliveries ON COMMIT DROP AS SELECT * FROM arqlight.webhook_deliveries")
    op.drop_table("webhook_deliveries", schema=SCHEMA)
    _endpoints()
    _events()
    _deliveries()
    _attempts()
    _replays()


def _endpoints() -> None:
    for column in (
        sa.Column("customer", sa.Text()),
        sa.Column("contact", sa.Text()),
        sa.Column("ordering", sa.String(length=10), server_default="none", nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True)),
        sa.Column("warned_at", sa.DateTime(timezone=True)),
        sa.Column("unanswered", sa.Integer(), server_default="0", nullable=False),
        sa.Column("paused_until", sa.DateTime(timezone=True)),
    ):
        op.add_column("webhook_endpoints", column, schema=SCHEMA)
    op.create_table(
        "webhook_secrets",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("endpoint_id", sa.String(length=40), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        _of_endpoint("webhook_secrets"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_secrets")),
        schema=SCHEMA,
    )
    op.create_index(op.f("ix_webhook_secrets_endpoint_id"), "webhook_secrets", ["endpoint_id"], schema=SCHEMA)
    op.execute(
        "INSERT INTO arqlight.webhook_secrets (endpoint_id, secret, until)"
        " SELECT id, old_secret, old_secret_until FROM arqlight.webhook_endpoints WHERE old_secret_until > now()"
    )
    op.execute(
        "INSERT INTO arqlight.webhook_secrets (endpoint_id, secret) SELECT id, secret FROM arqlight.webhook_endpoints"
    )
    for name in ("secret", "old_secret", "old_secret_until"):
        op.drop_column("webhook_endpoints", name, schema=SCHEMA)


def _events() -> None:
    op.create_table(
        "webhook_events",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_events")),
        schema=SCHEMA,
    )
    op.create_index(op.f("ix_webhook_events_at"), "webhook_events", ["at"], schema=SCHEMA)
    op.execute(
        "INSERT INTO arqlight.webhook_events (id, event, body, at)"
        " SELECT DISTINCT ON (message_id) message_id, event, body, at FROM old_deliveries ORDER BY message_id, id"
    )


def _deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("endpoint_id", sa.String(length=40), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("run", sa.Integer(), server_default="0", nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("job_id", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), server_default="", nullable=False),
        sa.Column("duration_ms", sa.Integer(), server_default="0", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        _of_endpoint("webhook_deliveries"),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["arqlight.webhook_events.id"],
            name=op.f("fk_webhook_deliveries_message_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("endpoint_id", "message_id", name=op.f("uq_webhook_deliveries_endpoint_id_message_id")),
        schema=SCHEMA,
    )
    for columns in (["endpoint_id", "id"], ["message_id"]):
        name = op.f(f"ix_webhook_deliveries_{'_'.join(columns)}")
        op.create_index(name, "webhook_deliveries", columns, schema=SCHEMA)
    op.create_index(
        op.f("ix_webhook_deliveries_next_at"),
        "webhook_deliveries",
        ["next_at"],
        schema=SCHEMA,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.execute(
        "INSERT INTO arqlight.webhook_deliveries (endpoint_id, message_id, event, state, attempt, job_id, status, error,"
        " answer, duration_ms, at)"
        " SELECT endpoint_id, message_id, event, state, attempt, job_id, status, error, answer, duration_ms, at FROM ("
        " SELECT DISTINCT ON (endpoint_id, message_id) *,"
        " CASE WHEN error IS NULL THEN 'delivered' ELSE 'failed' END AS state"
        " FROM old_deliveries ORDER BY endpoint_id, message_id, id DESC) AS last ORDER BY id"
    )


def _attempts() -> None:
    op.create_table(
        "webhook_attempts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), server_default="", nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["arqlight.webhook_deliveries.id"],
            name=op.f("fk_webhook_attempts_delivery_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_attempts")),
        schema=SCHEMA,
    )
    op.create_index(
        op.f("ix_webhook_attempts_delivery_id_id"), "webhook_attempts", ["delivery_id", "id"], schema=SCHEMA
    )
    op.execute(
        "INSERT INTO arqlight.webhook_attempts (delivery_id, attempt, job_id, status, error, answer, duration_ms, at)"
        " SELECT d.id, o.attempt, o.job_id, o.status, o.error, o.answer, o.duration_ms, o.at FROM old_deliveries o"
        " JOIN arqlight.webhook_deliveries d USING (endpoint_id, message_id) ORDER BY o.id"
    )


def _replays() -> None:
    op.create_table(
        "webhook_replays",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("endpoint_id", sa.String(length=40), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.Column("up_to", sa.BigInteger(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.String(length=20), server_default="waiting", nullable=False),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        _of_endpoint("webhook_replays"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_replays")),
        schema=SCHEMA,
    )
    op.create_index(op.f("ix_webhook_replays_endpoint_id_id"), "webhook_replays", ["endpoint_id", "id"], schema=SCHEMA)


def _of_endpoint(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["endpoint_id"],
        ["arqlight.webhook_endpoints.id"],
        name=op.f(f"fk_{table}_endpoint_id"),
        ondelete="CASCADE",
    )
