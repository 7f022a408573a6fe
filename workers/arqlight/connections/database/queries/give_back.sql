-- What a worker holds and does not know of goes back, its attempt not counted: the answer to its claim was lost.
-- $1: manager, $2: numbers and $3: claims that it knows
WITH returned AS (
    UPDATE arqlight_jobs.pgqueuer q SET status = 'queued', execute_after = now(), updated = now(), queue_manager_id = NULL,
        slot = NULL
    WHERE q.queue_manager_id = $1 AND q.status = 'picked' AND NOT EXISTS (
        SELECT FROM unnest($2::bigint[], $3::timestamptz[]) AS known (number, claimed)
        WHERE known.number = q.id AND known.claimed = q.updated)
    RETURNING q.id, q.entrypoint, q.priority
), logged AS (
    INSERT INTO arqlight_jobs.pgqueuer_log (job_id, status, entrypoint, priority, traceback)
    SELECT id, 'queued', entrypoint, priority, '{"reason": "unclaimed"}' FROM returned
)
SELECT count(*) AS returned, CASE WHEN count(*) > 0 THEN {wake} END FROM returned
