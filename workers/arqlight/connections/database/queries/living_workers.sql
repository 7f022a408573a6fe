-- The workers whose lease runs, with what each runs now. $1: how many jobs of each
SELECT w.id, w.about, w.started_at, w.seen_at, running.number AS running, running.jobs
FROM arqlight_jobs.workers w
CROSS JOIN LATERAL (
    SELECT count(*) AS number, coalesce(jsonb_agg(jsonb_build_object(
        'id', coalesce(q.dedupe_key, q.id::text), 'task', coalesce(q.headers->>'task', '?'),
        'started_ms', (extract(epoch FROM q.updated) * 1000)::bigint) ORDER BY q.updated) FILTER (WHERE q.place <= $1), '[]') AS jobs
    FROM (SELECT *, row_number() OVER (ORDER BY updated) AS place FROM arqlight_jobs.pgqueuer
        WHERE queue_manager_id = w.manager AND status = 'picked') q
) running
WHERE w.lease_until > now() AND NOT w.said_goodbye
ORDER BY w.started_at
