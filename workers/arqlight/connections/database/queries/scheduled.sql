-- The soonest first. $1, $2: behind this moment and number; $3: how many; $4: queue; $5, $6: since, until
SELECT {columns}, q.execute_after AS place FROM arqlight_jobs.pgqueuer q
WHERE q.status = 'queued' AND q.execute_after > now() AND (q.execute_after, q.id) > ($1, $2)
    AND ($4::text IS NULL OR q.entrypoint = $4)
    AND ($5::timestamptz IS NULL OR q.execute_after >= $5) AND ($6::timestamptz IS NULL OR q.execute_after <= $6)
ORDER BY q.execute_after, q.id LIMIT $3
