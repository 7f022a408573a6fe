-- Jobs that did not fail leave the queue, many at once, and are kept for a look. One whose claim is not this worker's
-- any longer is not its to end.
-- $1: numbers, $2: claims, $3: results, $4: how they ended, $5: manager, $6: worker
WITH told AS (
    SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::bytea[]) AS t (number, claimed, result)
), gone AS (
    DELETE FROM arqlight_jobs.pgqueuer q USING told t
    WHERE q.id = t.number AND q.updated = t.claimed AND q.queue_manager_id = $5 AND q.status = 'picked'
    RETURNING q.id, q.entrypoint, q.priority, q.dedupe_key, q.headers, q.payload, q.created, q.updated, q.attempts, t.result
), kept AS (
    INSERT INTO arqlight_jobs.ended (number, id, task, queue, status, attempts, created_at, started_at, worker, payload, result)
    SELECT id, coalesce(dedupe_key, id::text), coalesce(headers->>'task', ''), entrypoint,
        CASE $4::text WHEN 'successful' THEN 'succeeded' ELSE 'cancelled' END, attempts + 1, created, updated, $6, payload, result
    FROM gone
)
INSERT INTO arqlight_jobs.pgqueuer_log (job_id, status, entrypoint, priority)
SELECT id, $4::arqlight_jobs.pgqueuer_status, entrypoint, priority FROM gone
