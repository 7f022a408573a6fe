-- Which of the jobs that a worker runs were called off. $1: manager
SELECT id AS number, updated AS claimed FROM arqlight_jobs.pgqueuer
WHERE queue_manager_id = $1 AND status = 'picked' AND headers ? 'recalled'
