-- $1, $2: behind this moment and number; $3: how many; $4: queue; $5, $6: since, until
SELECT {columns}, q.updated AS place FROM arqlight_jobs.pgqueuer q
WHERE q.status = 'picked' AND (q.updated, q.id) < ($1, $2)
    AND ($4::text IS NULL OR q.entrypoint = $4)
    AND ($5::timestamptz IS NULL OR q.updated >= $5) AND ($6::timestamptz IS NULL OR q.updated <= $6)
ORDER BY q.updated DESC, q.id DESC LIMIT $3
