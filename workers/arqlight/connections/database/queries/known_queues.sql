SELECT name FROM arqlight_jobs.queues UNION SELECT DISTINCT entrypoint FROM arqlight_jobs.pgqueuer ORDER BY 1
