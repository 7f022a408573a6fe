-- How many workers died of a job. $1: number, $2: error
SELECT count(*) FROM arqlight_jobs.pgqueuer_log WHERE job_id = $1 AND traceback->>'exception_type' = $2
