SELECT until > now() FROM arqlight_jobs.watched
