-- What waits in a queue goes. $1: queue, $2: how many at the most
WITH gone AS (
    DELETE FROM arqlight_jobs.pgqueuer WHERE id IN (
        SELECT id FROM arqlight_jobs.pgqueuer WHERE entrypoint = $1 AND status = 'queued' ORDER BY id LIMIT $2
        FOR UPDATE SKIP LOCKED)
    RETURNING id, entrypoint, priority
)
INSERT INTO arqlight_jobs.pgqueuer_log (job_id, status, entrypoint, priority)
SELECT id, 'deleted', entrypoint, priority FROM gone RETURNING job_id
