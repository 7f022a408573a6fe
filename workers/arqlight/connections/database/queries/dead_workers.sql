-- The workers that stopped without notice within the hour, the last one first.
SELECT w.id, w.about, w.started_at, w.seen_at, 0 AS running, '[]'::jsonb AS jobs
FROM arqlight_jobs.workers w
WHERE w.lease_until <= now() AND w.lease_until > now() - interval '1 hour' AND NOT w.said_goodbye
ORDER BY w.lease_until DESC
