-- A failed job, its traces and its log are removed permanently; the entry that says so has its id, which no row has then.
-- $1: number, $2: only when it failed no later than this
WITH deleted AS (
    DELETE FROM arqlight_jobs.pgqueuer WHERE id = $1 AND status = 'failed' AND ($2::timestamptz IS NULL OR updated <= $2)
    RETURNING id, entrypoint, priority, dedupe_key, headers
), traces AS (
    UPDATE arqlight_jobs.pgqueuer_log SET traceback = NULL FROM deleted WHERE job_id = deleted.id AND traceback IS NOT NULL
), said AS (
    DELETE FROM arqlight_jobs.lines l USING deleted d WHERE l.number = d.id
)
INSERT INTO arqlight_jobs.pgqueuer_log (job_id, status, entrypoint, priority, traceback)
SELECT id, 'deleted', entrypoint, priority, jsonb_build_object('id', dedupe_key, 'task', headers->>'task')
FROM deleted RETURNING job_id
