-- $1: since, $2: until, $3: fingerprint
SELECT count(*) FROM arqlight_jobs.pgqueuer q
WHERE q.status = 'failed' AND ($1::timestamptz IS NULL OR q.updated >= $1) AND ($2::timestamptz IS NULL OR q.updated <= $2)
    AND ($3::text IS NULL OR $3 = (
        SELECT l.traceback #>> '{additional_context,fingerprint}' FROM arqlight_jobs.pgqueuer_log l
        WHERE l.job_id = q.id AND l.traceback ? 'exception_type' ORDER BY l.created DESC, l.id DESC LIMIT 1))
