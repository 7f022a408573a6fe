-- $1: queue
DELETE FROM arqlight_jobs.paused WHERE queue = $1 RETURNING queue
