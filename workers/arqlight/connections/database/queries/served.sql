-- How many living workers take from each queue, and how many there are.
SELECT count(*) AS workers, coalesce(jsonb_agg(about->'queues'), '[]') AS queues
FROM arqlight_jobs.workers WHERE lease_until > now() AND NOT said_goodbye
