-- Jobs that did not fail leave the queue, many at once, and are kept for a look. One that was given to another worker
-- meanwhile is not this one's to end.
-- $1: numbers, $2: results, $3: how they ended, $4: manager, $5: worker
WITH told AS (
    SELECT * FROM unnest($1::bigint[], $2::bytea[]) AS t (number, result)
), gone AS (
    DELETE FROM arqlight_jobs.pgqueuer q USING told t WHERE q.id = t.number AND q.queue_manager_id = $4
    RETURNING q.id, q.entrypoint, q.priority, q.dedupe_key, q.headers, q.payload, q.created, q.updated, q.attempts, t.result
), kept AS (
    INSERT INTO arqlight_jobs.ended (number, id, task, queue, status, attempts, created_at, started_at, worker, payload, result)
    SELECT id, coalesce(dedupe_key, id::text), coalesce(headers->>'task', ''), entrypoint,
        CASE $3::text WHEN 'successful' THEN 'succeeded' ELSE 'cancelled' END, attempts + 1, created, updated, $5, payload, result
    FROM gone
)
INSERT INTO arqlight_jobs.pgqueuer_log (job_id, status, entrypoint, priority)
SELECT id, $3::arqlight_jobs.pgqueuer_status, entrypoint, priority FROM gone
