"""what belongs to a claim: whose progress, whose lines, who rescues since when"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

CHANGES = """
-- Progress is of one claim: what an earlier attempt of the job told is not this one's.
DROP TABLE arqlight_jobs.progress;
CREATE TABLE arqlight_jobs.progress (number bigint PRIMARY KEY, claimed timestamptz NOT NULL, step jsonb NOT NULL);
-- A log is of one job: an id may be chosen again when the job that had it has ended.
ALTER TABLE arqlight_jobs.lines ADD COLUMN number bigint;
UPDATE arqlight_jobs.lines l SET number = coalesce(
    (SELECT max(q.id) FROM arqlight_jobs.pgqueuer q WHERE coalesce(q.dedupe_key, q.id::text) = l.id),
    (SELECT max(e.number) FROM arqlight_jobs.ended e WHERE e.id = l.id), 0);
DROP INDEX arqlight_jobs.lines_id;
ALTER TABLE arqlight_jobs.lines DROP COLUMN id;
ALTER TABLE arqlight_jobs.lines ALTER COLUMN number SET NOT NULL;
CREATE INDEX lines_number ON arqlight_jobs.lines (number, place);
-- Who looks for dead workers, and since when without a gap.
CREATE TABLE arqlight_jobs.rescuers (
    id text PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT now(),
    asked_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE arqlight_jobs.paused ADD COLUMN since timestamptz NOT NULL DEFAULT now();
"""


def upgrade() -> None:
    op.execute(CHANGES)


def downgrade() -> None:
    raise NotImplementedError("drop the schema arqlight_jobs instead: the jobs in it go with it")
