-- A worker leaves: a claim of its that is still on the way gets nothing. $1: id
UPDATE arqlight_jobs.workers SET said_goodbye = true, seen_at = now() WHERE id = $1
