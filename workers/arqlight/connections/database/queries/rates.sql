-- Of each queue what ended in the last five minutes, and how long it waited and ran.
WITH ended AS (
    SELECT l.entrypoint AS queue, l.status, l.created AS ended, picked.created AS began, picked.before
    FROM arqlight_jobs.pgqueuer_log l
    LEFT JOIN LATERAL (
        SELECT p.created, (SELECT max(b.created) FROM arqlight_jobs.pgqueuer_log b
            WHERE b.job_id = p.job_id AND b.status = 'queued' AND b.id < p.id) AS before
        FROM arqlight_jobs.pgqueuer_log p WHERE p.job_id = l.job_id AND p.status = 'picked' AND p.id < l.id
        ORDER BY p.created DESC, p.id DESC LIMIT 1
    ) picked ON true
    WHERE l.status IN ('successful', 'failed') AND l.created > now() - interval '5 minutes'
    ORDER BY l.created DESC LIMIT 20000
)
SELECT queue, count(*) FILTER (WHERE status = 'successful') AS succeeded, count(*) FILTER (WHERE status = 'failed') AS failed,
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY extract(epoch FROM began - before) * 1000) AS waited_ms,
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY extract(epoch FROM ended - began) * 1000) AS ran_ms
FROM ended GROUP BY queue
