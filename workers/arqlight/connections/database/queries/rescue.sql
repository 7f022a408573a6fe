-- The jobs of workers whose lease ran out go back to their queues; the lost attempt counts.
-- $1: error, $2: message, $3: fingerprint
WITH lost AS (
    SELECT q.id, w.id AS worker, q.updated AS started FROM arqlight_jobs.pgqueuer q
    JOIN arqlight_jobs.workers w ON w.manager = q.queue_manager_id
    WHERE q.status = 'picked' AND (w.lease_until <= now() OR w.said_goodbye)
    FOR UPDATE OF q SKIP LOCKED
), returned AS (
    UPDATE arqlight_jobs.pgqueuer q SET status = 'queued', attempts = q.attempts + 1, execute_after = now(), updated = now(),
        queue_manager_id = NULL, slot = NULL
    FROM lost WHERE q.id = lost.id
    RETURNING q.id, q.entrypoint, q.priority, q.attempts, lost.worker, lost.started
)
INSERT INTO arqlight_jobs.pgqueuer_log (job_id, status, entrypoint, priority, traceback)
SELECT id, 'queued', entrypoint, priority, jsonb_build_object(
    'job_id', id, 'timestamp', now(), 'exception_type', $1::text, 'exception_message', $2::text, 'traceback', '',
    'additional_context', jsonb_build_object('attempt', attempts, 'fingerprint', $3::text, 'worker', worker,
        'started_ms', (extract(epoch FROM started) * 1000)::bigint))
FROM returned RETURNING job_id
