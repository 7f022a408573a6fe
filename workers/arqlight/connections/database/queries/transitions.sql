-- What happened behind a place of the log, the oldest first, and which transactions were under way: an id that is
-- missing may still come with one of those. $1: behind, $2: how many
SELECT l.id AS place, floor(extract(epoch FROM l.created) * 1000)::bigint AS moment,
    CASE WHEN l.status = 'queued' AND q.status = 'queued' AND q.execute_after > l.created + interval '1 millisecond'
        AND NOT EXISTS (
            SELECT FROM arqlight_jobs.pgqueuer_log later WHERE later.job_id = l.job_id AND later.id > l.id)
        THEN 'scheduled' ELSE l.status::text END AS status,
    l.entrypoint AS queue, l.created, l.traceback,
    coalesce(q.dedupe_key, e.id, gone.told->>'id', l.job_id::text) AS id,
    coalesce(q.headers->>'task', e.task, gone.told->>'task', '') AS task,
    (SELECT count(*) FROM arqlight_jobs.pgqueuer_log p WHERE p.job_id = l.job_id AND p.status = 'picked' AND p.id <= l.id
        AND p.id > coalesce((SELECT max(b.id) FROM arqlight_jobs.pgqueuer_log b WHERE b.job_id = l.job_id
            AND b.status = 'queued' AND b.traceback IS NULL AND b.id < l.id), 0)) AS attempt,
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest_running,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next_transaction
FROM (SELECT * FROM arqlight_jobs.pgqueuer_log WHERE id > $1 ORDER BY id LIMIT $2) l
LEFT JOIN arqlight_jobs.pgqueuer q ON q.id = l.job_id
LEFT JOIN arqlight_jobs.ended e ON e.number = l.job_id
LEFT JOIN LATERAL (
    SELECT d.traceback AS told FROM arqlight_jobs.pgqueuer_log d
    WHERE d.job_id = l.job_id AND d.status = 'deleted' AND q.id IS NULL AND e.number IS NULL LIMIT 1
) gone ON true
ORDER BY l.id
