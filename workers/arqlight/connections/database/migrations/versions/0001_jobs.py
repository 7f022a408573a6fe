"""what PgQueuer's tables do not keep: ended jobs, workers, progress, log lines"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
-- PgQueuer removes a job that ended; what is shown of it stands here, up to a bound.
CREATE TABLE arqlight_jobs.ended (
    number bigint PRIMARY KEY,
    id text NOT NULL,
    task text NOT NULL,
    queue text NOT NULL,
    status text NOT NULL,
    attempts integer NOT NULL,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz NOT NULL DEFAULT now(),
    worker text,
    payload bytea,
    result bytea
);
CREATE INDEX ended_finished_at ON arqlight_jobs.ended (status, finished_at DESC, number DESC);
CREATE INDEX ended_id ON arqlight_jobs.ended (id);
CREATE TABLE arqlight_jobs.workers (
    id text PRIMARY KEY,
    manager uuid NOT NULL UNIQUE,
    about jsonb NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    lease_until timestamptz NOT NULL,
    said_goodbye boolean NOT NULL DEFAULT false
);
CREATE TABLE arqlight_jobs.queues (name text PRIMARY KEY);
CREATE TABLE arqlight_jobs.tasks (name text PRIMARY KEY, queue text NOT NULL, serializer text NOT NULL);
CREATE TABLE arqlight_jobs.paused (queue text PRIMARY KEY);
CREATE TABLE arqlight_jobs.progress (id text PRIMARY KEY, step jsonb NOT NULL);
CREATE TABLE arqlight_jobs.watched (until timestamptz NOT NULL);
INSERT INTO arqlight_jobs.watched VALUES (now());
CREATE TABLE arqlight_jobs.lines (
    place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL,
    line jsonb NOT NULL
);
CREATE INDEX lines_id ON arqlight_jobs.lines (id, place);
CREATE INDEX pgqueuer_failed ON arqlight_jobs.pgqueuer (updated DESC, id DESC) WHERE status = 'failed';
CREATE INDEX pgqueuer_id ON arqlight_jobs.pgqueuer (dedupe_key) WHERE dedupe_key IS NOT NULL;
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    raise NotImplementedError("drop the schema arqlight_jobs instead: the jobs in it go with it")
