SELECT coalesce(min(id), 0) FROM arqlight_jobs.pgqueuer_log
