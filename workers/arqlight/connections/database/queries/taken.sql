-- Which of these ids are taken: by a job that waits, runs or failed, or that ended within the hour. $1: ids
SELECT dedupe_key AS id FROM arqlight_jobs.pgqueuer WHERE dedupe_key = ANY ($1::text[])
UNION SELECT id FROM arqlight_jobs.ended WHERE id = ANY ($1::text[]) AND finished_at > now() - interval '1 hour'
