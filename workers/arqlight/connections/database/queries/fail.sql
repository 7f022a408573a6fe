-- Jobs that failed are held with their payload, and what happened is logged.
-- $1: numbers, $2: claims, $3: tracebacks, $4: manager
WITH told AS (
    SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::jsonb[]) AS t (number, claimed, traceback)
), held AS (
    UPDATE arqlight_jobs.pgqueuer q SET status = 'failed', updated = now(), queue_manager_id = NULL, slot = NULL FROM told t
    WHERE q.id = t.number AND q.updated = t.claimed AND q.queue_manager_id = $4 AND q.status = 'picked'
    RETURNING q.id, q.entrypoint, q.priority, t.traceback
)
INSERT INTO arqlight_jobs.pgqueuer_log (job_id, status, entrypoint, priority, traceback)
SELECT id, 'failed', entrypoint, priority, traceback FROM held
