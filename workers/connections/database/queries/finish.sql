-- Jobs ended, many at once: those that failed are held with their payload, the others leave the queue and are kept for a
-- look. A job that was given to another worker meanwhile is not this one's to end.
-- $1: numbers, $2: statuses, $3: tracebacks, $4: tasks, $5: results, $6: times of start (ms), $7: manager, $8: worker
WITH told AS (
    SELECT * FROM unnest($1::bigint[], $2::arqlight_jobs.pgqueuer_status[], $3::jsonb[], $4::text[], $5::bytea[], $6::bigint[])
        AS t (number, status, traceback, task, result, started_ms)
), gone AS (
    DELETE FROM arqlight_jobs.pgqueuer q USING told t
    WHERE q.id = t.number AND t.status <> 'failed' AND q.queue_manager_id = $7
    RETURNING q.id, q.entrypoint, q.priority, q.dedupe_key, q.payload, q.created, q.attempts, t.status, t.task, t.result, t.started_ms
), held AS (
    UPDATE arqlight_jobs.pgqueuer q SET status = 'failed', updated = now(), queue_manager_id = NULL, slot = NULL FROM told t
    WHERE q.id = t.number AND t.status = 'failed' AND q.queue_manager_id = $7
    RETURNING q.id, q.entrypoint, q.priority, t.status, t.traceback
), kept AS (
    INSERT INTO arqlight_jobs.ended (number, id, task, queue, status, attempts, created_at, started_at, worker, payload, result)
    SELECT id, coalesce(dedupe_key, id::text), task, entrypoint,
        CASE status WHEN 'successful' THEN 'succeeded' ELSE 'cancelled' END, attempts + 1, created,
        to_timestamp(started_ms / 1000.0), $8, payload, result FROM gone
)
INSERT INTO arqlight_jobs.pgqueuer_log (job_id, status, entrypoint, priority, traceback)
SELECT id, status, entrypoint, priority, NULL FROM gone
UNION ALL SELECT id, status, entrypoint, priority, traceback FROM held
