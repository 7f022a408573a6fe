-- Which of these ids are taken: by a job that waits, runs or failed, or that ended within the hour; also as the number of
-- a job without an id. $1: ids
SELECT dedupe_key AS id FROM arqlight_jobs.pgqueuer WHERE dedupe_key = ANY ($1::text[])
UNION SELECT q.id::text FROM unnest($1::text[]) AS chosen
    JOIN arqlight_jobs.pgqueuer q ON q.id = CASE WHEN chosen ~ '^[1-9][0-9]{0,17}$' THEN chosen::bigint END
    WHERE q.dedupe_key IS NULL
UNION SELECT id FROM arqlight_jobs.ended WHERE id = ANY ($1::text[]) AND finished_at > now() - interval '1 hour'
