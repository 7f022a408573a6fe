-- One job that ended, the newest of its id. $1: id
SELECT * FROM arqlight_jobs.ended WHERE id = $1 ORDER BY number DESC LIMIT 1
