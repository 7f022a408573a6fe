-- A waiting job is called off. $1: number
WITH cancelled AS (
    DELETE FROM arqlight_jobs.pgqueuer WHERE id = $1 AND status = 'queued' RETURNING *
), kept AS (
    INSERT INTO arqlight_jobs.ended (number, id, task, queue, status, attempts, created_at, payload)
    SELECT id, coalesce(dedupe_key, id::text), coalesce(headers->>'task', ''), entrypoint, 'cancelled', attempts, created, payload
    FROM cancelled
)
INSERT INTO arqlight_jobs.pgqueuer_log (job_id, status, entrypoint, priority)
SELECT id, 'canceled', entrypoint, priority FROM cancelled RETURNING job_id
