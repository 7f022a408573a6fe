SELECT queue FROM arqlight_jobs.paused
