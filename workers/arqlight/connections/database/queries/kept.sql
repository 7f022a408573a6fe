-- Which of these ids are of a job that failed, or whose last job was cancelled. $1: ids
SELECT dedupe_key AS id, 'failed' AS state FROM arqlight_jobs.pgqueuer WHERE dedupe_key = ANY ($1::text[]) AND status = 'failed'
UNION ALL SELECT id, 'cancelled' FROM (
    SELECT DISTINCT ON (id) id, status FROM arqlight_jobs.ended WHERE id = ANY ($1::text[]) ORDER BY id, number DESC
) AS newest WHERE status = 'cancelled'
