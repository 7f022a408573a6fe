-- What happened to a job, the newest first, bounded. $1: number
SELECT created, status::text AS status, traceback FROM arqlight_jobs.pgqueuer_log
WHERE job_id = $1 ORDER BY id DESC LIMIT 200
