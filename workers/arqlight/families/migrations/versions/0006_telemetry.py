"""ids of events by product, usage by version, extra fields, persons, merged and erased devices"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _ids_by_product()
    _usage_by_version()
    _devices()
    _persons_merges_and_erasures()


def _ids_by_product() -> None:
    op.add_column("telemetry_events", sa.Column("product", sa.Text(), nullable=True), schema="arqlight")
    op.drop_constraint("pk_telemetry_events", "telemetry_events", schema="arqlight")
    # Of which product an id was is not known: it is kept for each that the device has, and counts for none again.
    op.execute(
        "INSERT INTO arqlight.telemetry_events (fingerprint, product, event_id, received_at) "
        "SELECT fingerprint, devices.product, event_id, received_at FROM arqlight.telemetry_events "
        "JOIN arqlight.devices USING (fingerprint)"
    )
    op.execute("DELETE FROM arqlight.telemetry_events WHERE product IS NULL")
    op.alter_column("telemetry_events", "product", nullable=False, schema="arqlight")
    op.create_primary_key(
        "pk_telemetry_events", "telemetry_events", ["fingerprint", "product", "event_id"], schema="arqlight"
    )


def _usage_by_version() -> None:
    op.add_column("usage_daily", sa.Column("version", sa.Text(), nullable=True), schema="arqlight")
    # What was counted before is of the version that the device has now.
    op.execute(
        "UPDATE arqlight.usage_daily SET version = coalesce((SELECT version FROM arqlight.devices "
        "WHERE devices.fingerprint = usage_daily.fingerprint AND devices.product = usage_daily.product), '')"
    )
    op.alter_column("usage_daily", "version", nullable=False, schema="arqlight")
    op.drop_constraint("pk_usage_daily", "usage_daily", schema="arqlight")
    op.create_primary_key(
        "pk_usage_daily", "usage_daily", ["fingerprint", "product", "version", "day", "counter"], schema="arqlight"
    )
    op.create_index(op.f("ix_usage_daily_day_product"), "usage_daily", ["day", "product"], schema="arqlight")


def _devices() -> None:
    fields = sa.Column("fields", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False)
    op.add_column("devices", fields, schema="arqlight")
    op.create_index(
        op.f("ix_devices_last_seen_fingerprint_product"),
        "devices",
        ["last_seen", "fingerprint", "product"],
        schema="arqlight",
    )


def _persons_merges_and_erasures() -> None:
    op.create_table(
        "telemetry_persons",
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        _moment("last_seen"),
        sa.PrimaryKeyConstraint("person", "fingerprint", name=op.f("pk_telemetry_persons")),
        schema="arqlight",
    )
    op.create_table(
        "telemetry_merges",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("into_fingerprint", sa.String(length=64), nullable=False),
        _moment("merged_at"),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_telemetry_merges")),
        schema="arqlight",
    )
    op.create_table(
        "telemetry_erasures",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        _moment("erased_at"),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_telemetry_erasures")),
        schema="arqlight",
    )
    for table, column in (
        ("telemetry_persons", "fingerprint"),
        ("telemetry_merges", "into_fingerprint"),
        ("telemetry_erasures", "erased_at"),
    ):
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column], schema="arqlight")


def _moment(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
