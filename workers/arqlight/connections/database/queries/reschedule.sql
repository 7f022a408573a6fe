-- Attempts ended without an end: back into their queues, to run again after a delay. What has begun does not expire.
-- $1: numbers, $2: claims, $3: delays in ms, $4: tracebacks, $5: how often in a row each may go uncounted, $6: manager
WITH told AS (
    SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::float8[], $4::jsonb[], $5::integer[])
        AS t (number, claimed, delay_ms, traceback, most_uncounted)
), held AS (
    SELECT q.id, t.delay_ms, t.traceback, coalesce((q.headers->>'uncounted')::integer, 0) AS uncounted, t.most_uncounted
    FROM arqlight_jobs.pgqueuer q JOIN told t ON q.id = t.number AND q.updated = t.claimed
    WHERE q.queue_manager_id = $6 AND q.status = 'picked' FOR UPDATE OF q
), again AS (
    UPDATE arqlight_jobs.pgqueuer q SET status = 'queued', execute_after = now() + h.delay_ms * interval '1 millisecond',
        updated = now(), queue_manager_id = NULL, slot = NULL,
        attempts = q.attempts + (h.uncounted >= h.most_uncounted)::integer,
        headers = coalesce(q.headers, '{}') - 'expires_ms' - 'uncounted' || CASE WHEN h.uncounted >= h.most_uncounted
            THEN '{}' ELSE jsonb_build_object('uncounted', (h.uncounted + 1)::text) END
    FROM held h WHERE q.id = h.id
    RETURNING q.id, q.entrypoint, q.priority, h.traceback
), logged AS (
    INSERT INTO arqlight_jobs.pgqueuer_log (job_id, status, entrypoint, priority, traceback)
    SELECT id, 'queued', entrypoint, priority, traceback FROM again
)
SELECT {wake} FROM again LIMIT 1
