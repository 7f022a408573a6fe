-- Failed jobs by cause, the last seen first, with what failed in each of the last hours. $1: from, $2: how many, $3: hours
WITH failed AS (
    SELECT q.updated, coalesce(q.headers->>'task', '') AS task, last.traceback AS told,
        coalesce(last.traceback #>> '{additional_context,fingerprint}', '') AS fingerprint
    FROM arqlight_jobs.pgqueuer q
    LEFT JOIN LATERAL (
        SELECT l.traceback FROM arqlight_jobs.pgqueuer_log l
        WHERE l.job_id = q.id AND l.traceback ? 'exception_type'
        ORDER BY l.created DESC, l.id DESC LIMIT 1
    ) last ON true
    WHERE q.status = 'failed'
), causes AS (
    SELECT fingerprint, count(*) AS count, min(updated) AS first_seen, max(updated) AS last_seen,
        (array_agg(task ORDER BY updated DESC))[1] AS task,
        (array_agg(told ORDER BY updated DESC))[1] AS told,
        array_agg(floor(extract(epoch FROM now() - updated) / 3600)::integer)
            FILTER (WHERE updated > now() - $3 * interval '1 hour') AS hours_ago
    FROM failed GROUP BY fingerprint
)
SELECT *, count(*) OVER () AS total FROM causes ORDER BY last_seen DESC, fingerprint OFFSET $1 LIMIT $2
