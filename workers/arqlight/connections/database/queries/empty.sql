-- What waits in a queue goes; the entries that say so have the ids, which no row has then.
-- $1: queue, $2: how many at the most
WITH gone AS (
    DELETE FROM arqlight_jobs.pgqueuer WHERE id IN (
        SELECT id FROM arqlight_jobs.pgqueuer WHERE entrypoint = $1 AND status = 'queued' ORDER BY id LIMIT $2
        FOR UPDATE SKIP LOCKED)
    RETURNING id, entrypoint, priority, dedupe_key, headers
)
INSERT INTO arqlight_jobs.pgqueuer_log (job_id, status, entrypoint, priority, traceback)
SELECT id, 'deleted', entrypoint, priority, jsonb_build_object('id', dedupe_key, 'task', headers->>'task')
FROM gone RETURNING job_id
