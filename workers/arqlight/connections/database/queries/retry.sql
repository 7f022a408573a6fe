-- A failed job back into its queue with 0 attempts. $1: number, $2: only when it failed no later than this
WITH requeued AS (
    UPDATE arqlight_jobs.pgqueuer SET status = 'queued', attempts = 0, execute_after = now(), updated = now(),
        queue_manager_id = NULL, slot = NULL, headers = headers - 'expires_ms' - 'uncounted' - 'lost' - 'recalled'
    WHERE id = $1 AND status = 'failed' AND ($2::timestamptz IS NULL OR updated <= $2)
    RETURNING id, entrypoint, priority
), logged AS (
    INSERT INTO arqlight_jobs.pgqueuer_log (job_id, status, entrypoint, priority)
    SELECT id, 'queued', entrypoint, priority FROM requeued
)
SELECT id, {wake} FROM requeued
