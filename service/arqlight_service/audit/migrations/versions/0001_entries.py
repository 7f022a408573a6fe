"""the entries of the audit list"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

CHANGES = """
-- Ids sort by time, whatever the database's collation. An entry is text: jsonb does not take all that JSON does.
CREATE TABLE arqlight_audit.entries (id text COLLATE "C" PRIMARY KEY, kind text NOT NULL, entry text NOT NULL);
CREATE INDEX entries_kind ON arqlight_audit.entries (kind, id);
"""


def upgrade() -> None:
    op.execute(CHANGES)


def downgrade() -> None:
    raise NotImplementedError("drop the schema arqlight_audit instead: the entries in it go with it")
