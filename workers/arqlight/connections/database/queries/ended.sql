-- $1, $2: behind this moment and number; $3: how many; $4: queue; $5, $6: since, until; $7: status
SELECT e.number, e.id, e.task, e.queue, e.status, e.attempts, e.created_at, e.started_at, e.finished_at, e.worker,
    e.payload, e.finished_at AS place
FROM arqlight_jobs.ended e
WHERE e.status = $7 AND (e.finished_at, e.number) < ($1, $2)
    AND ($4::text IS NULL OR e.queue = $4)
    AND ($5::timestamptz IS NULL OR e.finished_at >= $5) AND ($6::timestamptz IS NULL OR e.finished_at <= $6)
ORDER BY e.finished_at DESC, e.number DESC LIMIT $3
