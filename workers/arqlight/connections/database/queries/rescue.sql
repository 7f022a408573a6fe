-- The jobs of workers whose lease ran out go back to their queues; the lost attempt counts.
-- After the server was away, every lease has run out: only who has had the server for a whole lease rescues, so that the
-- living have had as long to renew theirs. Whoever did not ask for half a lease begins anew. A job held by a worker in no
-- row is lost when nothing was heard of it for a minute (PgQueuer's own workers write a heartbeat for each job).
-- $1: error, $2: message, $3: fingerprint, $4: who rescues, $5: for how long it must have asked, ms, $6: a lease, ms
WITH asked AS (
    INSERT INTO arqlight_jobs.rescuers AS r (id) VALUES ($4)
    ON CONFLICT (id) DO UPDATE SET asked_at = now(),
        since = CASE WHEN r.asked_at < now() - $6 / 2 * interval '1 millisecond' THEN now() ELSE r.since END
    RETURNING since
), lost AS (
    SELECT q.id, coalesce(w.id, '') AS worker, q.updated AS started FROM arqlight_jobs.pgqueuer q
    LEFT JOIN arqlight_jobs.workers w ON w.manager = q.queue_manager_id
    WHERE q.status = 'picked' AND (SELECT since FROM asked) <= now() - $5 * interval '1 millisecond' AND CASE
        WHEN w.id IS NULL THEN greatest(q.updated, q.heartbeat) < now() - interval '1 minute'
        ELSE w.lease_until <= now() OR w.said_goodbye END
    FOR UPDATE OF q SKIP LOCKED
), returned AS (
    UPDATE arqlight_jobs.pgqueuer q SET status = 'queued', attempts = q.attempts + 1, execute_after = now(), updated = now(),
        queue_manager_id = NULL, slot = NULL, headers = coalesce(q.headers, '{}') - 'expires_ms' - 'uncounted'
            || jsonb_build_object('lost', (coalesce((q.headers->>'lost')::integer, 0) + 1)::text)
    FROM lost WHERE q.id = lost.id
    RETURNING q.id, q.entrypoint, q.priority, q.attempts, lost.worker, lost.started
), logged AS (
    INSERT INTO arqlight_jobs.pgqueuer_log (job_id, status, entrypoint, priority, traceback)
    SELECT id, 'queued', entrypoint, priority, jsonb_build_object(
        'job_id', id, 'timestamp', now(), 'exception_type', $1::text, 'exception_message', $2::text, 'traceback', '',
        'additional_context', jsonb_build_object('attempt', attempts, 'fingerprint', $3::text, 'worker', worker,
            'started_ms', (extract(epoch FROM started) * 1000)::bigint))
    FROM returned
)
SELECT count(*) AS returned, CASE WHEN count(*) > 0 THEN {wake} END FROM returned
