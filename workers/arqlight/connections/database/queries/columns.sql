-- What is shown of a job that PgQueuer still holds.
q.id AS number, coalesce(q.dedupe_key, q.id::text) AS id, coalesce(q.headers->>'task', '') AS task,
q.entrypoint AS queue, q.status::text AS status, q.attempts + (q.status IN ('picked', 'failed'))::integer AS attempts,
q.created AS created_at, q.updated AS updated_at, q.execute_after AS due_at, q.payload,
(SELECT w.id FROM arqlight_jobs.workers w WHERE w.manager = q.queue_manager_id) AS worker,
(SELECT p.step FROM arqlight_jobs.progress p WHERE p.number = q.id AND p.claimed = q.updated AND q.status = 'picked') AS step
