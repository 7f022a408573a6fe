-- The queues whose jobs a living worker limits. $1: queues
SELECT DISTINCT limited.queue FROM arqlight_jobs.workers w
CROSS JOIN LATERAL jsonb_object_keys(coalesce(w.about->'limits', '{}')) AS limited (queue)
WHERE w.lease_until > now() AND NOT w.said_goodbye AND limited.queue = ANY ($1::text[])
