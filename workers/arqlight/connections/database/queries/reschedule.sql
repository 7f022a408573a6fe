-- A job runs again later. $1: number, $2: delay, $3: traceback, $4: how many attempts it cost (0 or 1), $5: manager
WITH again AS (
    UPDATE arqlight_jobs.pgqueuer SET status = 'queued', execute_after = now() + $2::interval, attempts = attempts + $4,
        updated = now(), queue_manager_id = NULL, slot = NULL
    WHERE id = $1 AND queue_manager_id = $5
    RETURNING id, entrypoint, priority
)
INSERT INTO arqlight_jobs.pgqueuer_log (job_id, status, entrypoint, priority, traceback)
SELECT id, 'queued', entrypoint, priority, $3::jsonb FROM again
