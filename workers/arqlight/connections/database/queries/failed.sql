-- With the last failure. $1, $2: behind this moment and number; $3: how many; $4: queue; $5, $6: since, until;
-- $7: fingerprint; $8: ids; $9: numbers
SELECT {columns}, q.updated AS place, last.traceback,
    (SELECT count(*) FROM arqlight_jobs.pgqueuer_log same WHERE same.job_id = q.id
        AND same.traceback #>> '{additional_context,fingerprint}'
            = last.traceback #>> '{additional_context,fingerprint}') AS repeats
FROM arqlight_jobs.pgqueuer q
LEFT JOIN LATERAL (
    SELECT l.traceback FROM arqlight_jobs.pgqueuer_log l
    WHERE l.job_id = q.id AND l.traceback ? 'exception_type'
    ORDER BY l.created DESC, l.id DESC LIMIT 1
) last ON true
WHERE q.status = 'failed' AND (q.updated, q.id) < ($1, $2)
    AND ($4::text IS NULL OR q.entrypoint = $4)
    AND ($5::timestamptz IS NULL OR q.updated >= $5) AND ($6::timestamptz IS NULL OR q.updated <= $6)
    AND ($7::text IS NULL OR last.traceback #>> '{additional_context,fingerprint}' = $7)
    AND ($8::text[] IS NULL OR coalesce(q.dedupe_key, q.id::text) = ANY ($8))
    AND ($9::bigint[] IS NULL OR q.id = ANY ($9))
ORDER BY q.updated DESC, q.id DESC LIMIT $3
