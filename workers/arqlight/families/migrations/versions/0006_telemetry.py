"""ids of events by product"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _ids_by_product()


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
